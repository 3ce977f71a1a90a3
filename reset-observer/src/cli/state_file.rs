//! `--state-file`: where to keep what was learned.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::state::StateFile;

/// Where a service keeps its state (FHS, section 5.8); made by the package, by systemd's `StateDirectory=`, or a volume.
const DEFAULT: &str = "/var/lib/reset-observer/state.json";

/// Where to keep what was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePlace {
    /// Nowhere.
    None,
    /// In this file.
    File(PathBuf),
}

impl FromStr for StatePlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "none" { Self::None } else { Self::File(text.into()) })
    }
}

impl StatePlace {
    /// The file that was asked for.
    #[must_use]
    pub fn asked_for(place: Option<&Self>) -> Option<StateFile> {
        match place {
            Some(Self::File(path)) => Some(StateFile::at(path)),
            Some(Self::None) | None => None,
        }
    }

    /// The same, and if nothing was said, the usual one where its directory is there.
    #[must_use]
    pub fn or_usual(place: Option<&Self>) -> Option<StateFile> {
        let usual = Path::new(DEFAULT);
        let there = place.is_none() && usual.parent().is_some_and(Path::is_dir);
        if there { Some(StateFile::at(usual)) } else { Self::asked_for(place) }
    }
}
