//! The error logs of all instances of nginx, followed as reloads and rotations change them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use crate::{
    nginx::{
        configurations::Configurations,
        error_log::{
            follow::{Follower, FoundLine, Log, LogEvent, Start},
            join::{LogId, Written},
            line::Line,
            reader::Reader,
            zone::Zone,
        },
        logs::InstanceLogs,
        processes::InstanceId,
    },
    record::KernelTime,
};

/// Lines that may wait to be taken. When there are more, the logs wait where they are.
const CAPACITY: usize = 1024;

/// How much of a log is read of what was written before it was found.
const RECENT_BYTES: u64 = 64 << 10;

/// One log that is followed.
struct Followed {
    id: LogId,
    reader: Reader,
    zone: Zone,
}

/// What came out of a log.
pub(super) enum News {
    /// A line of nginx's.
    Line(LogId, Box<Line>, Written),
    /// Lines were left out up to now.
    Lost,
}

/// Follows error logs. Without a thread for it there are none, which is said once.
pub(super) struct ErrorLogs {
    follower: Option<Follower>,
    followed: BTreeMap<(InstanceId, PathBuf), Followed>,
    by_id: HashMap<LogId, (InstanceId, PathBuf)>,
    revision: Option<u64>,
    next_file: u32,
    start: Start,
    /// What was said of logs that cannot be followed.
    told: HashSet<(InstanceId, String)>,
}

impl ErrorLogs {
    /// Follows nothing yet.
    pub(super) fn new() -> Self {
        let follower = Follower::start(Vec::new(), CAPACITY);
        if let Err(error) = &follower {
            log::warn!("error logs cannot be followed, so requests are not named: {error}");
        }
        let (followed, by_id) = (BTreeMap::new(), HashMap::new());
        Self {
            follower: follower.ok(),
            followed,
            by_id,
            revision: None,
            next_file: 0,
            start: Start::End,
            told: HashSet::new(),
        }
    }

    /// Follows what these configurations name. Returns the instances whose logs are read, if that changed.
    pub(super) fn follow(&mut self, told: &Configurations) -> Option<HashSet<InstanceId>> {
        if self.follower.is_none() || self.revision.replace(told.revision()) == Some(told.revision()) {
            return None;
        }
        let mut wanted = HashSet::new();
        let instances: HashSet<InstanceId> = told.all().map(|(instance, ..)| instance).collect();
        self.told.retain(|(instance, _)| instances.contains(instance));
        for (instance, master, running) in told.all() {
            match InstanceLogs::of(master, running) {
                Ok(logs) => self.add(instance, &logs, &mut wanted),
                Err(error) => log::warn!("the error logs of nginx {master} are not read: {error:#}"),
            }
        }
        self.forget_all_but(&wanted);
        // A later instance shows by its first failure, whose line is written by the time that its log is found.
        self.start = Start::Last(RECENT_BYTES);
        Some(wanted.into_iter().map(|(instance, _)| instance).collect())
    }

    fn add(&mut self, instance: InstanceId, logs: &InstanceLogs, wanted: &mut HashSet<(InstanceId, PathBuf)>) {
        for unavailable in &logs.unavailable {
            let sentence = unavailable.to_string();
            if self.told.insert((instance, sentence.clone())) {
                log::warn!("{sentence}");
            }
        }
        for path in &logs.files {
            let key = (instance, path.clone());
            wanted.insert(key.clone());
            if self.followed.contains_key(&key) {
                continue;
            }
            let id = LogId { instance: instance.0.into(), file: self.next_file };
            self.next_file += 1;
            if let Some(follower) = &self.follower {
                follower.add(Log { id, path: path.clone(), open: logs.open.clone(), start: self.start });
            }
            self.by_id.insert(id, key.clone());
            self.followed.insert(key, Followed { id, reader: Reader::default(), zone: logs.zone.clone() });
        }
    }

    fn forget_all_but(&mut self, wanted: &HashSet<(InstanceId, PathBuf)>) {
        let (follower, by_id) = (&self.follower, &mut self.by_id);
        self.followed.retain(|key, followed| {
            let keep = wanted.contains(key);
            if !keep {
                by_id.remove(&followed.id);
                follower.iter().for_each(|follower| follower.remove(followed.id));
            }
            keep
        });
    }

    /// Waits for a line. Nothing is lost if the caller stops waiting.
    pub(super) async fn next(&mut self) -> News {
        loop {
            let event = match &mut self.follower {
                Some(follower) => follower.events.recv().await,
                None => std::future::pending().await,
            };
            match event {
                Some(LogEvent::Line(found)) => {
                    if let Some(news) = self.read(&found) {
                        return news;
                    }
                }
                Some(LogEvent::Skipped { .. }) => return News::Lost,
                Some(LogEvent::Unavailable { unavailable, .. }) => log::warn!("{unavailable}"),
                None => {
                    log::error!("error logs are followed no more, so requests are not named: start again");
                    self.follower = None;
                }
            }
        }
    }

    /// What is there already, without waiting.
    pub(super) fn take_now(&mut self) -> Vec<News> {
        let mut events = Vec::new();
        while let Some(event) = self.follower.as_mut().and_then(|follower| follower.events.try_recv().ok()) {
            events.push(event);
        }
        let lines = events.iter().filter_map(|event| match event {
            LogEvent::Line(found) => self.read(found),
            LogEvent::Skipped { .. } => Some(News::Lost),
            LogEvent::Unavailable { .. } => None,
        });
        lines.collect()
    }

    fn read(&mut self, found: &FoundLine) -> Option<News> {
        let followed = self.followed.get_mut(self.by_id.get(&found.log)?)?;
        let line = followed.reader.read(&found.bytes)?;
        let written = found.written(&line, &followed.zone);
        Some(News::Line(found.log, Box::new(line), written))
    }
}

impl News {
    /// Hands it to the pipeline.
    pub(super) fn give(self, pipeline: &mut crate::pipeline::Pipeline, now: KernelTime) {
        match self {
            Self::Line(log, line, written) => pipeline.take_line(log, line, written),
            Self::Lost => pipeline.lines_lost(now),
        }
    }
}
