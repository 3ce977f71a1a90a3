//! Another nginx on the same machine under load, so that neither the kernel nor the observer has time to spare.

use anyhow::Result;

use crate::backend::Kind;
use crate::child::{Child, Launch};
use crate::nginx::Settings;
use crate::stage::{FRONT_PORT, Plan, Stage};
use crate::topology::{Family, Shape};

/// The load, which ends with it.
#[derive(Debug)]
pub(super) struct Neighbour {
    _load: Child,
    _stage: Stage,
}

impl Neighbour {
    /// Sets it up and lets wrk load it with four connections.
    pub(super) fn move_in() -> Result<Self> {
        let backend = Kind::Fault(&["--obliging"]);
        let stage =
            Stage::set_up(&Plan { family: Family::V4, shape: Shape::Loopback, nginx: Settings::default(), backend })?;
        let url = format!("http://127.0.0.1:{FRONT_PORT}/");
        let load = Launch::new("wrk", "wrk").inside(stage.net().proxy());
        let load = load.args(["-t", "1", "-c", "4", "-d", "3600s", &url]).start()?;
        Ok(Self { _load: load, _stage: stage })
    }
}
