//! What can be said of a handful of measurements.

use serde::Serialize;

/// The middle of some measurements, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    /// Half of them are at or below it.
    pub(super) median: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
}

impl Spread {
    /// Of these measurements; `None` if there are none.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, lowest, highest })
    }
}

/// Each value of a round divided by the base of the same round: what the machine was busy with in that round falls out.
pub(super) fn ratios(values: &[f64], bases: &[f64]) -> Vec<f64> {
    values.iter().zip(bases).filter(|(_, base)| **base > 0.0).map(|(value, base)| value / base).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, lowest: 1.0, highest: 9.0 }));
        assert_eq!(Spread::of(&[5.0, 1.0, 2.0]).map(|spread| spread.median), Some(2.0));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn ratios_are_paired_by_round_and_a_round_without_a_base_is_left_out() {
        assert_eq!(ratios(&[50.0, 90.0, 7.0], &[100.0, 90.0, 0.0]), [0.5, 1.0]);
        assert_eq!(ratios(&[50.0, 90.0], &[100.0]), [0.5]);
    }
}
