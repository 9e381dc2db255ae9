//! Trees that were trained on some columns of a row.

use super::Tree;

impl Tree {
    /// The same tree over rows in which its features stand in these columns. A feature without a column is one that no row has, so
    /// that [`super::Forest::new`] refuses the tree.
    #[must_use]
    pub fn over(&self, columns: &[usize]) -> Self {
        let column = |feature: u32| {
            let column = columns.get(feature as usize);
            column.and_then(|&column| u32::try_from(column).ok()).unwrap_or(u32::MAX)
        };
        let mut tree = self.clone();
        for node in &mut tree.nodes {
            node.feature = column(node.feature);
        }
        for term in tree.linear.iter_mut().flat_map(|leaf| &mut leaf.terms) {
            term.0 = column(term.0);
        }
        tree
    }
}
