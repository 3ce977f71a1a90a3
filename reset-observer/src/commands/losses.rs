//! Noticing that records were lost, as soon as a second after it.

use std::collections::BTreeMap;

use crate::{
    counts::{DecodeCounts, KernelCounts},
    record::KernelTime,
    sink::{Lost, losses::Stage},
};

/// Remembers what was said already.
#[derive(Debug, Default)]
pub(super) struct LossWatch {
    said: BTreeMap<Stage, u64>,
}

impl LossWatch {
    /// What was lost since the last call, by stage.
    pub(super) fn news(&mut self, kernel: &KernelCounts, decode: &DecodeCounts, at: KernelTime) -> Vec<Lost> {
        let mut news = Vec::new();
        for stage in Stage::ALL {
            let total = stage.total(kernel, decode);
            let said = self.said.insert(stage, total).unwrap_or_default();
            if total > said && !stage.is_redundant() {
                news.push(Lost { at, stage, records: total - said, total });
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_said_once_and_only_what_is_new() {
        let mut watch = LossWatch::default();
        let lost = |ring_full| KernelCounts { ring_full, ..KernelCounts::default() };
        let decode = DecodeCounts::default();
        assert!(watch.news(&lost(0), &decode, KernelTime(1)).is_empty());
        let news = watch.news(&lost(5), &decode, KernelTime(2));
        assert_eq!((news.len(), news[0].stage, news[0].records, news[0].total), (1, Stage::Ring, 5, 5));
        assert!(watch.news(&lost(5), &decode, KernelTime(3)).is_empty());
        assert_eq!(watch.news(&lost(7), &decode, KernelTime(4))[0].records, 2);
    }
}
