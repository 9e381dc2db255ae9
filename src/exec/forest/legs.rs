//! How many steps walks go together before those that have arrived are left behind.
//!
//! Stopping costs as much as a few steps of every walk that is still under way, and spares those that have arrived the steps that
//! others still need. From the share of rows that arrive after each number of steps follows where to stop.

use super::lowered::Lowered;

/// Instructions of a step.
const STEP: f64 = 5.0;
/// Instructions that one more leg costs each walk that begins it.
const WALK: f64 = 18.0;
/// Instructions that a leg costs besides: branches that nobody foresees.
const LEG: f64 = 80.0;
/// Steps that are looked at; longer ways are as long as this.
const MOST: usize = 64;

/// Steps of each leg; the last one is repeated until all have arrived.
#[derive(Debug, Clone, Default)]
pub struct Legs {
    steps: Vec<u32>,
    /// Instructions of a row.
    cost: f64,
    /// Whether all have arrived after the first one.
    single: bool,
}

impl Legs {
    /// The legs for a row's walks through all trees of a forest.
    pub fn of(lowered: &Lowered<'_>) -> Self {
        let trees = lowered.forest.trees();
        // For each number of steps the share of the rows that arrive after as many, summed over all trees.
        let mut arrivals = vec![0.0; lowered.depth() + 1];
        for tree in 0..trees.len() {
            lowered.arrivals(tree).for_each(|(share, steps)| arrivals[steps as usize] += share);
        }
        Self::new(&arrivals, trees.len())
    }

    /// The legs for walks of which the share `arrivals[steps]` arrives after so many steps, summed over all trees.
    #[allow(clippy::cast_precision_loss)]
    fn new(arrivals: &[f64], trees: usize) -> Self {
        let most = arrivals.len().saturating_sub(1);
        let end = most.min(MOST);
        // Walks under way after so many steps; those that go further than is looked at are summed once, however long they are.
        let mut under_way = vec![arrivals.get(end + 1..).unwrap_or_default().iter().sum::<f64>(); end + 1];
        for steps in (0..end).rev() {
            under_way[steps] = under_way[steps + 1] + arrivals[steps + 1];
        }
        under_way[0] = trees as f64;
        let mut best = vec![(0.0, 0); end + 1];
        for steps in (0..end).rev() {
            let costs = (steps + 1..=end).map(|next| {
                let leg = (next - steps) as f64 * STEP + WALK;
                (under_way[steps] * leg + LEG + best[next].0, next)
            });
            best[steps] = costs.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
        }
        let mut legs = Self { steps: Vec::new(), cost: best[0].0, single: false };
        let mut at = 0;
        while at < end {
            legs.steps.push(super::narrow(best[at].1 - at));
            at = best[at].1;
        }
        legs.single = legs.steps.len() <= 1 && most == end;
        legs
    }

    /// Instructions of a row, at least.
    pub fn cost(&self) -> f64 {
        self.cost
    }

    /// Steps of the first leg, and those of the others, if there are any: without an end.
    #[inline(always)]
    pub fn split(&self) -> (usize, Option<impl Iterator<Item = usize>>) {
        let (first, others) = self.steps.split_first().unwrap_or((&0, &[]));
        let last = others.last().unwrap_or(first);
        let others = others.iter().chain(std::iter::repeat(last)).map(|&steps| steps as usize);
        (*first as usize, (!self.single).then_some(others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_of_one_length_go_together_and_others_in_legs() {
        let legs = |arrivals: &[f64], trees| {
            let legs = Legs::new(arrivals, trees);
            let (first, others) = legs.split();
            (first, others.map(|others| others.take(3).collect::<Vec<_>>()))
        };
        assert_eq!(legs(&[], 0), (0, None));
        assert_eq!(legs(&[5.0], 5), (0, None));
        assert_eq!(legs(&[0.0, 0.0, 0.0, 100.0], 100), (3, None));
        assert_eq!(legs(&[0.0, 0.0, 0.0, 10.0, 90.0], 100), (4, None));
        let mut long = vec![0.0; 21];
        (long[4], long[20]) = (900.0, 100.0);
        assert_eq!(legs(&long, 1000), (4, Some(vec![16, 16, 16])));
        // Longer than is looked at: it goes on with the last leg.
        let mut longest = vec![0.0; 1001];
        longest[1000] = 1.0;
        let (first, others) = legs(&longest, 1);
        assert!(first == MOST && others.is_some());
    }
}
