//! Which providers run a graph: each that is wished for is tried strictly, and has to answer what the processor answers.

use super::provider::{Provider, Report, lost};
use super::runtime::{Runtime, check};
use super::{Session, Settings};
use crate::error::{Error, Result, Status};
use crate::ir::Output;
use crate::ir::graph::Graph;
use ort::AsPointer;
use ort::logging::LogLevel;
use ort::session::builder::SessionBuilder;
use ort::sys::OrtExecutionProviderDevicePolicy;

/// What was tried, or the provider that is to blame, if it is one, and why.
pub type Attempt<T> = std::result::Result<T, (Option<Provider>, Error)>;

/// Rows on which a provider is compared with the processor.
const ROWS: usize = 4;
/// How far its answers may be off, in units of the largest: half of the digits of float16, and of `TF32`, may be lost on the way.
const ALLOWED: f64 = 0.05;

/// The session on the first providers that `open` succeeds with; the processor is the last resort.
///
/// # Errors
/// Why not even the processor runs the graph; `MI_BACKEND` when a provider is refused and all are required.
pub fn choose(settings: &Settings, open: impl Fn(&[Provider]) -> Attempt<Session>) -> Result<Session> {
    let mut refused = Report::default();
    let mut wanted: Vec<Provider> = settings.providers.iter().copied().filter(|&p| p != Provider::Cpu).collect();
    loop {
        match open(&wanted) {
            Ok(mut session) => {
                let report = session.report();
                report.take_refusals(refused);
                if settings.graph_capture && !wanted.contains(&Provider::Cuda) {
                    report.captures(Err(&Error::unsupported(
                        "the provider 'cuda' does that, and it does not run this network",
                    )));
                }
                if settings.required {
                    report.require(&settings.providers)?;
                }
                return Ok(session);
            }
            Err((Some(provider), reason)) => {
                refused.refuse(provider, &reason);
                if settings.required {
                    return Err(refused.require(&settings.providers).err().unwrap_or(reason));
                }
                wanted.retain(|other| *other != provider);
            }
            Err((None, reason)) => return Err(reason),
        }
    }
}

/// Which of several providers fails is not always said: the first is given up, then the next has its turn.
pub fn blame(wanted: &[Provider]) -> impl Fn(Error) -> (Option<Provider>, Error) {
    let first = wanted.first().copied();
    move |reason| (first, reason)
}

/// Checks the answers of a session on other hardware: drivers and kernels have faults, and a wrong number is worse than a slow one.
///
/// # Errors
/// `MI_BACKEND` when it answers something else than the processor, or nothing.
pub fn compare(session: &Session, processor: &Session) -> Result<()> {
    for output in [Output::Value, Output::Raw, Output::Probability] {
        let Some(columns) = processor.columns(output) else { continue };
        let (mut expected, mut found) = (vec![0.0; ROWS * columns], vec![0.0; ROWS * columns]);
        // Graphs that look rows up in tables want whole numbers, and small ones.
        let mut inputs =
            [fractions, ones, zeros].map(|number| (0..ROWS * processor.width()).map(number).collect::<Vec<_>>());
        let answered = |rows: &&mut Vec<f32>| processor.predict_single(output, rows, ROWS, &mut expected).is_ok();
        let Some(rows) = inputs.iter_mut().find(answered) else { continue };
        // Twice: the second call of a shape may go another way than the first.
        for _ in 0..2 {
            processor.predict_single(output, rows, ROWS, &mut expected)?;
            session.predict_single(output, rows, ROWS, &mut found)?;
            if let Some((found, expected)) = difference(&found, &expected) {
                return Err(Error::new(
                    Status::Backend,
                    format!("its output '{}' is {found} where the processor's is {expected}", output.name()),
                ));
            }
            rows.reverse();
        }
    }
    Ok(())
}

/// Numbers between -1 and 1 without a pattern.
fn fractions(at: usize) -> f32 {
    f32::from(u8::try_from(at * 7919 % 251).unwrap_or(0)) / 125.0 - 1.0
}

fn ones(at: usize) -> f32 {
    if at * 7919 % 251 < 125 { 1.0 } else { 0.0 }
}

fn zeros(_: usize) -> f32 {
    0.0
}

/// The first numbers that are too far from each other.
fn difference(found: &[f64], expected: &[f64]) -> Option<(f64, f64)> {
    let largest =
        expected.iter().filter(|number| number.is_finite()).fold(0.0f64, |most, number| most.max(number.abs()));
    let allowed = 1e-6 + ALLOWED * largest;
    let alike = |found: f64, expected: f64| {
        found == expected || found.is_nan() && expected.is_nan() || (found - expected).abs() <= allowed
    };
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (*found, *expected))
        .find(|&(found, expected)| !alike(found, expected))
}

/// A session on these providers, or the one that is to blame and why.
pub fn attempt(
    runtime: &'static Runtime,
    graph: &Graph,
    settings: &Settings,
    wanted: &[Provider],
) -> Attempt<ort::session::Session> {
    let mut builder = prepare(runtime, graph, settings).map_err(|reason| (None, reason))?;
    for &provider in wanted {
        let dispatch = provider.dispatch(settings);
        builder =
            lost(builder.with_execution_providers(dispatch.as_slice())).map_err(|reason| (Some(provider), reason))?;
    }
    lost(builder.commit_from_memory(&graph.parts().bytes)).map_err(blame(wanted))
}

/// Options that do not depend on the provider.
fn prepare(runtime: &'static Runtime, graph: &Graph, settings: &Settings) -> Result<SessionBuilder> {
    let threads = usize::try_from(settings.threads.max(1)).unwrap_or(1);
    let mut builder = lost(SessionBuilder::new(runtime.environment()))?;
    // Only providers that the caller names may run anything, whatever devices the runtime discovers.
    // SAFETY: a function of the table on live options, which the builder owns.
    let status = unsafe {
        (runtime.api().SessionOptionsSetEpSelectionPolicy)(
            builder.ptr_mut(),
            OrtExecutionProviderDevicePolicy::OrtExecutionProviderDevicePolicy_PREFER_CPU,
        )
    };
    check(runtime.api(), status)?;
    builder = lost(builder.with_log_level(LogLevel::Error))?;
    builder = lost(builder.with_intra_threads(threads))?;
    builder = lost(builder.with_inter_threads(1))?;
    builder = lost(builder.with_intra_op_spinning(false))?;
    builder = lost(builder.with_inter_op_spinning(false))?;
    builder = lost(builder.with_config_entry("session.record_ep_graph_assignment_info", "1"))?;
    for (name, bytes) in &graph.parts().files {
        builder = lost(builder.with_external_initializer_file_in_memory(name, bytes.clone()))?;
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_far_is_found() {
        let expected = [1.0, -0.01, f64::NAN, f64::INFINITY, 2.0];
        assert_eq!(difference(&expected, &expected).map(|(found, _)| found), None);
        assert_eq!(difference(&[1.09, 0.01, f64::NAN, f64::INFINITY, 1.95], &expected), None);
        for (at, wrong) in [(0, 1.2), (1, 0.2), (0, f64::NAN), (3, 7.0), (4, f64::INFINITY)] {
            let mut found = expected;
            found[at] = wrong;
            let (found, _) = difference(&found, &expected).expect("a difference");
            assert!(found.to_bits() == wrong.to_bits());
        }
        // Answers near zero have a scale of their own.
        assert!(difference(&[1e-4, 3e-4], &[1e-4, 2e-4]).is_some());
    }

    #[test]
    fn numbers_to_compare_on_vary() {
        let distinct: std::collections::BTreeSet<u32> = (0..100).map(|at| fractions(at).to_bits()).collect();
        assert!(distinct.len() > 90 && (0..1000).all(|at| fractions(at).abs() <= 1.0));
        assert!((0..100).any(|at| ones(at) == 1.0) && (0..100).any(|at| ones(at) == 0.0));
    }
}
