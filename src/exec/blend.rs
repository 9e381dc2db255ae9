//! Models made of members.

use super::part::{Part, Scratch};
use super::pipeline::{Shared, Step};
use super::transform::index;
use super::{Host, first_largest};
use crate::error::{Error, Result};
use crate::ir::Output;
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::pipeline::Transform;

/// A blend ready to run.
#[derive(Debug)]
pub(super) struct BlendPart {
    /// Paths and the columns that they give.
    paths: Vec<(Step, usize)>,
    ways: Vec<(Way, usize)>,
}

impl BlendPart {
    pub(super) fn new(blend: &Blend, host: &dyn Host) -> Result<Self> {
        let mut shared = Shared::new(host);
        let path = |path: &Transform| Ok((Step::new(path, &mut shared)?, path.outputs()));
        let paths = blend.paths().iter().map(path).collect::<Result<_>>()?;
        Ok(Self { paths, ways: blend.ways().map(|(way, columns)| (way.clone(), columns)).collect() })
    }

    fn way(&self, output: Output) -> Option<&(Way, usize)> {
        self.ways.iter().find(|(way, _)| way.output == output)
    }
}

impl Part for BlendPart {
    fn columns(&self, output: Output) -> Option<usize> {
        self.way(output).map(|(_, columns)| *columns)
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        let Some((way, _)) = self.way(output) else {
            return Err(Error::unsupported(format!("this model has no output '{}'", output.name())));
        };
        let (path, width) = &self.paths[way.path];
        if way.rule == Rule::Same {
            return path.run(row, out, scratch);
        }
        scratch.lend(*width, |given, scratch| {
            path.run(row, given, scratch)?;
            decide(&way.rule, given, out)
        })
    }
}

fn decide(rule: &Rule, given: &[f64], out: &mut [f64]) -> Result<()> {
    match rule {
        Rule::Same => out.copy_from_slice(given),
        Rule::Second => out[0] = given[1],
        Rule::Largest(classes) => out[0] = classes.number(first_largest(given)),
        Rule::LastLargest(classes) => {
            let mut best = 0;
            for (place, score) in given.iter().enumerate() {
                if *score >= given[best] {
                    best = place;
                }
            }
            out[0] = classes.number(best);
        }
        Rule::Above(border, classes) => out[0] = classes.number(usize::from(given[0] > *border)),
        Rule::Each(border) => {
            for (out, score) in out.iter_mut().zip(given) {
                *out = f64::from(u8::from(*score > *border));
            }
        }
        Rule::Labels(classes) => {
            for (out, class) in out.iter_mut().zip(given) {
                let known = index(*class).filter(|&class| classes.count().is_none_or(|count| class < count));
                *out = classes.number(
                    known.ok_or_else(|| Error::malformed(format!("a member chose {class}, which is no class")))?,
                );
            }
        }
    }
    Ok(())
}
