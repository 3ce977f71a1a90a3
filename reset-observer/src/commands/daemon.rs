//! `daemon`: metrics, a page and health over HTTP, until SIGTERM.

use std::{
    io::{self, Write as _},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use super::{
    Failure,
    memory::Memory,
    recorder::Recorder,
    service,
    session::{Session, lock},
    stop::Stop,
};
use crate::{
    cli::{DaemonArgs, Settings, StatePlace},
    episode::Episode,
    recording::entry::Context,
    sink::{clock::WallClock, upstream::UpstreamNews},
    verdict::Verdict,
};

mod forward;
mod reload;
mod serving;
mod shown;

use forward::Forward;
use reload::Reload;
use serving::{Serving, listen, read_web};
use shown::Shown;

/// No more than this time is missing in a recording when the program is killed.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(args: &DaemonArgs) -> Result<(), Failure> {
    if args.print_config {
        return print_settings().map_err(Failure::Running);
    }
    // Mistakes of the user's are told before anything is loaded.
    let web = Arc::new(read_web(args).map_err(Failure::Prerequisite)?);
    let listener = listen(args).map_err(Failure::Prerequisite)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| Failure::Running(error.into()))?;
    let mut session = begin(args)?;
    let core = session.core();
    let mut memory = Memory::open(StatePlace::or_usual(args.watch.state_file.as_ref()), &core)?;
    let shown = Arc::new(Shown::new(&session, args, &web).map_err(Failure::Prerequisite)?);
    let mut serving = Serving::start(listener, &shown, &web, !args.watch.no_sandbox).map_err(Failure::Running)?;
    if session.nginx().workers == 0 {
        log::warn!("no nginx is running in sight yet: it is looked for whenever one opens a connection");
    }
    let mut stop = Stop::catch().map_err(|error| Failure::Running(error.into()))?;
    shown.ready.store(true, Ordering::Relaxed);
    service::ready(&session.sandbox().in_force());
    let mut reload = Reload::new(args);
    let mut alive = pin!(service::keep_alive());
    let mut measured = pin!(shown.keep_measured());
    let ended = loop {
        tokio::select! {
            () = serving.ended() => break Err(anyhow::anyhow!("the HTTP server ended, please report this")),
            failed = watch(&mut session, &shown) => break failed,
            never = memory.keep(&core) => match never {},
            never = &mut alive => match never {},
            never = &mut measured => match never {},
            () = stop.asked() => break Ok(()),
            _ = hangup.recv() => reload.take(&shown, &mut serving),
        }
    };
    service::stopping();
    take(&shown, session.finish(), session.episodes());
    let ended = ended.and(session.end_recording());
    memory.save(&core).await;
    shown.measure();
    shown.forward.finish();
    ended.map_err(Failure::Running)
}

fn begin(args: &DaemonArgs) -> Result<Session, Failure> {
    let recorder = Recorder::open(&args.recording, WallClock::read(), None).map_err(Failure::Prerequisite)?;
    let session = Session::start(&args.watch, args.program_stats, recorder, &[])?;
    let found = session.ready(&args.watch.ports);
    session.note(Context::Ready { at: found.at, ready: found });
    Ok(session)
}

fn print_settings() -> anyhow::Result<()> {
    let settings = Settings::of(std::env::args_os().collect())?;
    let written = io::stdout().write_all(settings.to_string().as_bytes());
    // A reader that has seen enough is no failure.
    Ok(written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })?)
}

async fn watch(session: &mut Session, shown: &Shown) -> anyhow::Result<()> {
    let mut save = interval(SAVE_EVERY);
    loop {
        let verdicts = tokio::select! {
            verdicts = session.next() => verdicts?,
            _ = save.tick(), if session.is_recorded() => {
                session.save_recording(false);
                continue;
            }
        };
        for sentence in session.upstream_news().iter().filter_map(UpstreamNews::sentence) {
            log::warn!("{sentence}");
        }
        take(shown, verdicts, session.episodes());
    }
}

fn take(shown: &Shown, verdicts: Vec<Verdict>, episodes: Vec<Episode>) {
    shown.forward.take(&verdicts);
    let mut metrics = lock(&shown.metrics);
    for episode in &episodes {
        log::warn!("{episode}");
        metrics.observe_episode(episode);
    }
    for verdict in &verdicts {
        say(verdict);
        metrics.observe_verdict(verdict);
    }
    drop(metrics);
    let mut history = lock(&shown.history);
    episodes.into_iter().for_each(|episode| history.add_episode(episode));
    verdicts.into_iter().for_each(|verdict| history.add(verdict));
}

fn say(verdict: &Verdict) {
    let to = verdict.remote;
    log::debug!("{} {} ({}) on {}:{}", verdict.id, verdict.cause, verdict.confidence, to.addr, to.port);
}
