//! When a storm of ends has passed, and the memory that it took can be given back.

/// Fewer connections than these leave too little behind: a MiB or two.
const STORM: usize = 1024;

/// What was the most at a time since the last storm.
#[derive(Debug, Default)]
pub(super) struct Storm {
    most: usize,
}

impl Storm {
    /// Takes how many connections are being looked at. True once for each storm, when an eighth of it is left.
    pub(super) fn has_passed(&mut self, connections: usize) -> bool {
        self.most = self.most.max(connections);
        let passed = self.most >= STORM && connections <= self.most / 8;
        if passed {
            self.most = connections;
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_passes_once() {
        let mut storm = Storm::default();
        let passed: Vec<bool> =
            [10, 500, 8000, 4000, 1000, 900, 100, 0, 0, 5000, 0].map(|n| storm.has_passed(n)).into();
        assert_eq!(passed, [false, false, false, false, true, false, false, false, false, false, true]);
    }

    #[test]
    fn what_a_great_storm_leaves_is_a_storm_of_its_own() {
        let mut storm = Storm::default();
        assert_eq!([16_000, 2000, 1000, 250, 0].map(|n| storm.has_passed(n)), [false, true, false, true, false]);
    }

    #[test]
    fn a_shower_is_none() {
        let mut storm = Storm::default();
        assert!([1023, 0, 1000, 0].into_iter().all(|connections| !storm.has_passed(connections)));
    }
}
