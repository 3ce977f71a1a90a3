//! The server on a thread of its own: whatever clients do, the ring is read.

use std::{net, sync::Arc, thread};

use anyhow::{Context as _, Result};
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};

use super::{Observed, Web, serve};

/// Threads besides for what takes long: checking passwords, one at a time.
const BLOCKING_THREADS: usize = 1;

/// A server that runs. It ends when this is dropped; responses under way are cut.
#[derive(Debug)]
pub struct Server {
    listener: net::TcpListener,
    ended: oneshot::Receiver<()>,
    _shutdown: oneshot::Sender<()>,
}

impl Server {
    /// Serves at a socket that listens. Its thread does `confine` before anything else.
    ///
    /// # Errors
    /// If there is no thread or event loop to be had.
    pub fn start(
        listener: net::TcpListener,
        observed: Arc<dyn Observed>,
        web: Arc<Web>,
        confine: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        listener.set_nonblocking(true).context("cannot serve HTTP")?;
        let kept = listener.try_clone().context("cannot serve HTTP: raise the limit of open files")?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .context("cannot start the event loop of HTTP")?;
        let (shutdown, wait_for_shutdown) = oneshot::channel();
        let (tell_end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("http".into())
            .spawn(move || {
                confine();
                runtime.block_on(async {
                    match TcpListener::from_std(listener) {
                        Ok(listener) => serve(listener, observed, web, async { _ = wait_for_shutdown.await }).await,
                        Err(error) => log::error!("cannot serve HTTP: {error}"),
                    }
                });
                // Nobody may be waiting any more.
                _ = tell_end.send(());
            })
            .context("cannot start the thread of HTTP")?;
        Ok(Self { listener: kept, ended, _shutdown: shutdown })
    }

    /// The socket it listens at, for another server to go on with.
    ///
    /// # Errors
    /// If there are no file descriptors left.
    pub fn listener(&self) -> Result<net::TcpListener> {
        self.listener.try_clone().context("cannot go on at the same address: raise the limit of open files")
    }

    /// Waits until it has ended, which it does not by itself unless something is badly wrong.
    pub async fn ended(&mut self) {
        // An error means that the thread is gone too.
        _ = (&mut self.ended).await;
    }
}
