//! The binomial distribution, exactly.

/// Halvings of the interval in which a share lies: to the last bit.
const HALVINGS: u32 = 60;

/// How probable it is that at most `count` of `all` fall to one side, where each does with the probability `share`.
pub(super) fn at_most(count: u64, all: u64, share: f64) -> f64 {
    if count >= all || share <= 0.0 {
        return 1.0;
    }
    if share >= 1.0 {
        return 0.0;
    }
    let (chosen, left) = (share.ln(), (-share).ln_1p());
    // ln of C(all, k) * share^k * (1 - share)^(all - k), from k = 0 on; the largest first would need a second pass.
    let mut term = real(all) * left;
    let mut sum = Sum::of(term);
    for k in 1..=count {
        term += (real(all - k + 1) / real(k)).ln() + chosen - left;
        sum.add(term);
    }
    sum.total().min(1.0)
}

/// The highest share at which it is still as probable as `bound` that at most `count` of `all` fall to one side.
pub(super) fn at_most_share(count: u64, all: u64, bound: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    if count >= all {
        return high;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if at_most(count, all, middle) > bound { low = middle } else { high = middle }
    }
    high
}

/// A sum of numbers given by their logarithms, each of which may be too small to be written down.
struct Sum {
    largest: f64,
    scaled: f64,
}

impl Sum {
    const fn of(term: f64) -> Self {
        Self { largest: term, scaled: 1.0 }
    }

    fn add(&mut self, term: f64) {
        if term > self.largest {
            self.scaled = self.scaled * (self.largest - term).exp() + 1.0;
            self.largest = term;
        } else {
            self.scaled += (term - self.largest).exp();
        }
    }

    fn total(&self) -> f64 {
        self.largest.exp() * self.scaled
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of events lie far below 2^53")]
const fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9 * other.max(1e-3)
    }

    #[test]
    fn it_agrees_with_sums_made_by_hand() {
        assert!(close(at_most(0, 5, 0.5), 1.0 / 32.0));
        assert!(close(at_most(1, 5, 0.5), 6.0 / 32.0));
        assert!(close(at_most(2, 4, 0.25), 0.949_218_75));
        assert!(close(at_most(3, 3, 0.9), 1.0));
    }

    #[test]
    fn large_counts_neither_vanish_nor_overflow() {
        let half = at_most(500_000, 1_000_000, 0.5);
        assert!((0.5..0.501).contains(&half), "{half}");
        let never = at_most(0, 1_000_000, 0.5);
        assert!((0.0..1e-300).contains(&never), "{never}");
    }

    #[test]
    fn of_none_in_n_the_bound_is_the_rule_of_three() {
        let highest = at_most_share(0, 100, 0.05);
        assert!(close(highest, 1.0 - 0.05_f64.powf(0.01)), "{highest}");
        assert!((at_most_share(4, 4, 0.05) - 1.0).abs() < f64::EPSILON);
    }
}
