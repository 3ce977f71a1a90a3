//! SIGHUP: settings are read again, and those that can change without losing anything do.

use std::sync::Arc;

use anyhow::{Result, bail};

use super::{Serving, Shown};
use crate::{
    cli::{Cli, Command, DaemonArgs, Settings},
    commands::session::lock,
};

/// Keys that take effect at once. Every other one is part of what is loaded into the kernel, or of what was learned.
const AT_ONCE: [&str; 3] = ["log.level", "web.config.file", "web.listen-address"];

/// What to read again, and what was read before.
pub(super) struct Reload {
    has_file: bool,
    settings: Option<Settings>,
}

impl Reload {
    pub(super) fn new(args: &DaemonArgs) -> Self {
        Self { has_file: args.config.is_some(), settings: Settings::of(arguments()).ok() }
    }

    /// Reads everything again. What cannot be used is told, and all stays as it was.
    pub(super) fn take(&mut self, shown: &Arc<Shown>, serving: &mut Serving) {
        let read = self.try_take(shown, serving);
        if self.has_file {
            *lock(&shown.config_read) = Some(read.is_ok());
        }
        if let Err(error) = read {
            log::error!("the settings of before go on holding: {error:#}");
        }
    }

    fn try_take(&mut self, shown: &Arc<Shown>, serving: &mut Serving) -> Result<()> {
        let (cli, settings) = (Cli::try_from_args(arguments())?, Settings::of(arguments())?);
        let Command::Daemon(args) = &cli.command else { bail!("not the daemon's settings") };
        let changes = self.settings.as_ref().map(|before| settings.changes(before)).unwrap_or_default();
        let web_changed = changes.iter().any(|(key, ..)| key.starts_with("web."));
        if web_changed {
            serving.become_as(args, shown)?;
        } else {
            lock(&shown.web).reload()?;
        }
        log::set_max_level(cli.log_level.into());
        log::info!("SIGHUP: read the settings again, of which {} are others than before", changes.len());
        for (key, before, now) in &changes {
            match AT_ONCE.contains(key) {
                true => log::info!("{key} is {now} now, before it was {before}"),
                false => log::warn!("{key} is to be {now}, and stays {before} until a restart"),
            }
        }
        self.remember(settings);
        Ok(())
    }

    /// A key that waits for a restart is told again at the next SIGHUP.
    fn remember(&mut self, settings: Settings) {
        self.settings = Some(match self.settings.take() {
            Some(before) => before.with(&AT_ONCE, settings),
            None => settings,
        });
    }
}

fn arguments() -> Vec<std::ffi::OsString> {
    std::env::args_os().collect()
}
