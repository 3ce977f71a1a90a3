//! The HTTP server of the daemon, which can move to another address or another web configuration.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use anyhow::{Context as _, Result};

use super::Shown;
use crate::{
    cli::DaemonArgs,
    commands::session::lock,
    http::{Server, Web},
    sandbox,
};

/// A server and where it listens.
pub(super) struct Serving {
    server: Server,
    address: SocketAddr,
    confined: bool,
}

impl Serving {
    /// Serves from a thread of its own, which gives up what it has no use for if `confined`.
    pub(super) fn start(listener: TcpListener, shown: &Arc<Shown>, web: &Arc<Web>, confined: bool) -> Result<Self> {
        let address = listener.local_addr()?;
        let confine = move || {
            if confined {
                give_up_rights()
            }
        };
        let server = Server::start(listener, Arc::<Shown>::clone(shown), Arc::clone(web), confine)?;
        *lock(&shown.web) = Arc::clone(web);
        let scheme = if web.speaks_tls() { "https" } else { "http" };
        log::info!("metrics at {scheme}://{address}/metrics, and a page at {scheme}://{address}/");
        Ok(Self { server, address, confined })
    }

    /// Waits until it has ended, which it does not by itself.
    pub(super) async fn ended(&mut self) {
        self.server.ended().await;
    }

    /// Serves as these flags say from now on; responses under way are cut where the address is another one.
    ///
    /// # Errors
    /// If the address or the file cannot be used; all stays as it was then.
    pub(super) fn become_as(&mut self, args: &DaemonArgs, shown: &Arc<Shown>) -> Result<()> {
        let web = Arc::new(read_web(args)?);
        if args.listen_address != self.address {
            *self = Self::start(listen(args)?, shown, &web, self.confined)?;
            return Ok(());
        }
        let same = self.server.listener()?;
        *self = Self::start(same, shown, &web, self.confined)?;
        Ok(())
    }
}

fn give_up_rights() {
    match sandbox::web::enter() {
        Ok(given_up) => log::debug!("the thread that answers HTTP gave up more rights: {given_up}"),
        Err(reason) => {
            log::info!("the thread that answers HTTP could not give up all that it could do without: {reason}")
        }
    }
}

pub(super) fn read_web(args: &DaemonArgs) -> Result<Web> {
    match &args.web_config_file {
        Some(path) => Web::by_file(path),
        None => Ok(Web::open_to_all()),
    }
}

pub(super) fn listen(args: &DaemonArgs) -> Result<TcpListener> {
    TcpListener::bind(args.listen_address)
        .with_context(|| format!("cannot listen on {}: choose another --web.listen-address", args.listen_address))
}
