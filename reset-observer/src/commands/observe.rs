//! `observe`: verdicts as they fall, and a summary at the end.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    Failure,
    memory::Memory,
    recorder::Recorder,
    report_file::ReportFile,
    session::{Session, lock, now},
    showing::{Showing, outcome},
    stop::Stop,
};
use crate::{
    cli::{ObserveArgs, OutputFormat, StatePlace},
    recording::entry::Context,
    sink::{MarkedBy, clock::WallClock, footer::Footer, report::Report, table::Look},
};

/// How often to look whether records were lost.
const LOSS_CHECK: Duration = Duration::from_secs(1);

/// Runs until Ctrl-C, SIGTERM, the duration, the count, or until nobody reads the output any more.
pub(super) async fn run(args: &ObserveArgs) -> Result<(), Failure> {
    let (clock, count) = (WallClock::read(), args.count.map(NonZeroU64::get));
    let recorder = Recorder::open(&args.recording, clock, count).map_err(Failure::Prerequisite)?;
    let report = ReportFile::open(&args.report).map_err(Failure::Prerequisite)?;
    let writes: Vec<PathBuf> = report.iter().map(|file| file.path().to_owned()).collect();
    let mut session = Session::start(&args.watch, false, recorder, &writes)?;
    // Once more, with the rights that are left.
    report.iter().try_for_each(ReportFile::check).map_err(Failure::Prerequisite)?;
    let mut memory = Memory::open(StatePlace::asked_for(args.watch.state_file.as_ref()), &session.core())?;
    let mut observation = Observation { args, showing: Showing::new(args.output, clock, args.all, count), reloads: 0 };
    report.iter().for_each(|_| observation.showing.report_on(Report::new(clock)));
    let watched = observation.watch(&mut session).await;
    // What was seen until then is worth its report, too.
    let ended = if watched.is_ok() || report.is_some() { observation.end(&mut session) } else { Ok(()) };
    session.save_recording(false);
    memory.save(&session.core()).await;
    let reported = observation.showing.write_report(report.as_ref());
    outcome(watched.and(ended).and(reported))
}

/// One observation.
struct Observation<'a> {
    args: &'a ObserveArgs,
    showing: Showing,
    /// Reloads of nginx that were marked.
    reloads: u64,
}

impl Observation<'_> {
    async fn watch(&mut self, session: &mut Session) -> anyhow::Result<()> {
        let mut stop = Stop::catch()?;
        let mut change = signal(SignalKind::user_defined1())?;
        self.announce(session)?;
        if self.args.output == OutputFormat::Table {
            self.showing.keep_footer(Footer::on_stdout(Look::of_stdout().colour));
        }
        let end = self.args.duration.map(|duration| Instant::now() + duration);
        let mut loss_check = every(LOSS_CHECK);
        while !self.showing.is_over() {
            tokio::select! {
                verdicts = session.next() => {
                    self.showing.verdicts(&verdicts?)?;
                    self.showing.episodes(&session.episodes())?;
                    self.showing.news(&session.upstream_news())?;
                    self.mark_reload(session)?;
                    self.showing.draw_totals(now());
                }
                _ = change.recv() => self.mark(session, MarkedBy::Signal)?,
                _ = loss_check.tick() => self.check_losses(session)?,
                () = ended(end, &mut stop) => break,
            }
        }
        Ok(())
    }

    fn announce(&mut self, session: &Session) -> anyhow::Result<()> {
        let ready = session.ready(&self.args.watch.ports);
        if ready.nginx.workers == 0 {
            log::warn!("no nginx is running in sight: connections that other programs opened are shown instead");
        }
        session.note(Context::Ready { at: ready.at, ready: ready.clone() });
        self.showing.ready(&ready)?;
        // What was learned in earlier sessions may show a mismatch at once.
        self.showing.news(&session.upstream_news())
    }

    fn check_losses(&mut self, session: &mut Session) -> anyhow::Result<()> {
        self.show_losses(session)?;
        // So that no more than this time is missing when the program is killed.
        session.save_recording(false);
        self.showing.draw_totals(now());
        Ok(())
    }

    fn mark_reload(&mut self, session: &Session) -> anyhow::Result<()> {
        let seen = lock(&session.core()).pipeline.reloads();
        if std::mem::replace(&mut self.reloads, seen) == seen {
            return Ok(());
        }
        self.mark(session, MarkedBy::Reload)
    }

    fn mark(&mut self, session: &Session, by: MarkedBy) -> anyhow::Result<()> {
        let core = session.core();
        let (core, at) = (lock(&core), now());
        let kernel = core.read_counters()?;
        let shown = self.showing.mark(&core.pipeline, &kernel, at, by);
        drop(core);
        session.note(Context::Mark { at, kernel, by });
        shown
    }

    fn show_losses(&mut self, session: &Session) -> anyhow::Result<()> {
        let core = session.core();
        let (kernel, decode, at) = {
            let core = lock(&core);
            (core.read_counters()?, core.pipeline.counts(), now())
        };
        if self.showing.losses(&kernel, &decode, at)? {
            session.note(Context::Counts { at, kernel });
        }
        Ok(())
    }

    fn end(&mut self, session: &mut Session) -> anyhow::Result<()> {
        let last = session.finish();
        self.showing.verdicts(&last)?;
        self.showing.episodes(&session.episodes())?;
        self.showing.news(&session.upstream_news())?;
        self.show_losses(session)?;
        let (core, at) = (session.core(), now());
        let kernel = lock(&core).read_counters()?;
        let shown = self.showing.end(&mut lock(&core).pipeline, Some(&kernel), at);
        session.note(Context::End { at, kernel });
        shown
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn ended(end: Option<Instant>, stop: &mut Stop) {
    let time_is_up = async {
        match end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_is_up => {}
        () = stop.asked() => {}
    }
}
