//! `observe`: verdicts as they fall, and a summary at the end.

use std::{io, time::Duration};

use jiff::tz::TimeZone;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    Failure,
    losses::LossWatch,
    memory::Memory,
    session::{Session, lock, now},
};
use crate::{
    cli::{ObserveArgs, OutputFormat, StatePlace},
    episode::Episode,
    sink::{
        Output, OutputError,
        clock::WallClock,
        json::JsonLines,
        losses::Stage,
        summary::Summary,
        table::{Look, Table},
    },
    verdict::{Cause, Leg, Verdict},
};

/// How often to look whether records were lost.
const LOSS_CHECK: Duration = Duration::from_secs(1);

/// Runs until Ctrl-C, SIGTERM, the duration, the count, or until nobody reads the output any more.
pub(super) async fn run(args: &ObserveArgs) -> Result<(), Failure> {
    let mut session = Session::start(&args.watch)?;
    let mut memory = Memory::open(StatePlace::asked_for(args.watch.state_file.as_ref()), &session.core())?;
    let mut observation = Observation::new(args, &session);
    let outcome = match observation.watch(&mut session).await {
        Ok(()) => observation.end(&mut session),
        Err(error) => Err(error),
    };
    memory.save(&session.core()).await;
    match outcome.map_err(|error| error.downcast::<OutputError>()) {
        Ok(()) | Err(Ok(OutputError::ReaderGone)) => Ok(()),
        Err(Ok(error @ OutputError::Write(_))) => Err(Failure::Running(error.into())),
        Err(Err(error)) => Err(Failure::Running(error)),
    }
}

/// One observation and what it has shown.
struct Observation<'a> {
    args: &'a ObserveArgs,
    output: Box<dyn Output>,
    summary: Summary,
    losses: LossWatch,
    shown: u64,
    /// Without nginx on this host, connections of any other program are what there is to see.
    show_others: bool,
}

impl<'a> Observation<'a> {
    fn new(args: &'a ObserveArgs, session: &Session) -> Self {
        Self {
            args,
            output: output(args.output),
            summary: Summary::start(now()),
            losses: LossWatch::default(),
            shown: 0,
            show_others: args.all || session.nginx().workers == 0,
        }
    }

    async fn watch(&mut self, session: &mut Session) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        self.announce(session)?;
        let end = self.args.duration.map(|duration| Instant::now() + duration);
        let mut loss_check = every(LOSS_CHECK);
        while !self.is_complete() {
            tokio::select! {
                verdicts = session.next() => {
                    self.show_all(&verdicts?)?;
                    self.show_episodes(&session.episodes())?;
                    self.show_news(session)?;
                }
                _ = loss_check.tick() => self.show_losses(session)?,
                () = ended(end, &mut interrupt, &mut terminate) => break,
            }
        }
        Ok(())
    }

    fn announce(&mut self, session: &Session) -> anyhow::Result<()> {
        let ready = session.ready(&self.args.watch.ports);
        if ready.nginx.workers == 0 {
            log::warn!("no nginx is running in sight: connections that other programs opened are shown instead");
        }
        self.output.ready(&ready)?;
        // What was learned in earlier sessions may show a mismatch at once.
        self.show_news(session)
    }

    fn is_complete(&self) -> bool {
        self.args.count.is_some_and(|count| self.shown >= count.get())
    }

    fn show_all(&mut self, verdicts: &[Verdict]) -> anyhow::Result<()> {
        for verdict in verdicts {
            if self.is_complete() {
                break;
            }
            self.summary.add(verdict);
            if self.is_shown(verdict) {
                self.output.verdict(verdict)?;
                self.shown += 1;
            }
        }
        Ok(())
    }

    fn show_episodes(&mut self, episodes: &[Episode]) -> anyhow::Result<()> {
        for episode in episodes {
            self.summary.add_episode(episode);
            self.output.episode(episode)?;
        }
        Ok(())
    }

    fn show_news(&mut self, session: &Session) -> anyhow::Result<()> {
        for news in session.upstream_news() {
            self.output.upstream(&news)?;
        }
        Ok(())
    }

    fn is_shown(&self, verdict: &Verdict) -> bool {
        self.args.all || (verdict.cause != Cause::IdleClose && (self.show_others || verdict.leg != Leg::Other))
    }

    fn show_losses(&mut self, session: &Session) -> anyhow::Result<()> {
        let core = session.core();
        let core = lock(&core);
        for lost in self.losses.news(&core.read_counters()?, &core.pipeline.counts(), now()) {
            self.output.lost(&lost)?;
        }
        Ok(())
    }

    fn end(&mut self, session: &mut Session) -> anyhow::Result<()> {
        let last = session.finish();
        self.show_all(&last)?;
        self.show_episodes(&session.last_episodes())?;
        self.show_news(session)?;
        self.show_losses(session)?;
        let core = session.core();
        let mut core = lock(&core);
        let kernel = core.read_counters()?;
        self.summary.set_resets(&core.pipeline.resets(&kernel));
        for stage in Stage::ALL.into_iter().filter(|stage| !stage.is_redundant()) {
            self.summary.set_lost(stage, stage.total(&kernel, &core.pipeline.counts()));
        }
        self.summary.set_upstreams(&core.pipeline.upstreams(now()));
        self.summary.end(now());
        Ok(self.output.summary(&self.summary)?)
    }
}

fn output(format: OutputFormat) -> Box<dyn Output> {
    let clock = WallClock::read();
    match format {
        OutputFormat::Table => Box::new(Table::new(io::stdout(), clock, TimeZone::system(), Look::of_stdout())),
        OutputFormat::Json => Box::new(JsonLines::new(io::stdout(), clock)),
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn ended(end: Option<Instant>, interrupt: &mut Signal, terminate: &mut Signal) {
    let time_is_up = async {
        match end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_is_up => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
