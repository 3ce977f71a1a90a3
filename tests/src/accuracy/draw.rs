//! Which trials a round holds.

use crate::cell::Cell;
use crate::scenario::Scenario;

/// One trial to hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    /// What is done.
    pub(super) scenario: Scenario,
    /// Under which circumstances.
    pub(super) cell: Cell,
    /// In which round.
    pub(super) round: u32,
}

/// The trials of round `round`, in random order: one cell of each scenario, or every cell, among those with all of
/// `words` in their name. The same seed gives the same trials.
pub(super) fn round(scenarios: &[Scenario], words: &[String], seed: u64, round: u32, every_cell: bool) -> Vec<Draw> {
    let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(round.into()));
    let mut drawn = Vec::new();
    for &scenario in scenarios {
        let mut cells = scenario.cells.all();
        cells.retain(|cell| cell.is_one_of(words));
        if !every_cell {
            random.shuffle(&mut cells);
            cells.truncate(1);
        }
        drawn.extend(cells.into_iter().map(|cell| Draw { scenario, cell, round }));
    }
    random.shuffle(&mut drawn);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(seed: u64, words: &[String]) -> Vec<String> {
        let drawn = round(&crate::scenario::all(), words, seed, 0, false);
        drawn.iter().map(|draw| format!("{} {}", draw.scenario.name, draw.cell)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_trials_and_another_one_others() {
        assert_eq!(names(7, &[]), names(7, &[]));
        assert_ne!(names(7, &[]), names(8, &[]));
    }

    #[test]
    fn each_scenario_is_drawn_once_unless_none_of_its_cells_is_wanted() {
        assert_eq!(names(7, &[]).len(), crate::scenario::all().len());
        let in_tls = names(7, &["tls".to_owned()]);
        assert!(!in_tls.is_empty() && in_tls.iter().all(|name| name.contains(",tls,")));
    }
}
