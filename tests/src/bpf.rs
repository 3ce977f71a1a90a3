//! What of BPF the kernel holds on this machine, asked of the kernel itself.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aya::maps::{HashMap, Map, MapData, loaded_maps};
use aya::programs::{loaded_links, loaded_programs};

/// Where programs and maps are pinned.
const PINS: &str = "/sys/fs/bpf";

/// Size of the value of the map of owners: `Owner` in the eBPF crate.
type Owner = [u8; 40];

/// Everything that is loaded, attached or pinned at one moment, by ids that the kernel does not give out again soon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Programs. One that is attached to anything, a cgroup among that, is here as long as it is.
    pub programs: BTreeSet<u32>,
    /// Maps.
    pub maps: BTreeSet<u32>,
    /// Attachments.
    pub links: BTreeSet<u32>,
    /// Files that keep any of these alive without a process.
    pub pins: BTreeSet<PathBuf>,
}

impl Loaded {
    /// What the kernel tells now. What goes while it is asked is left out.
    pub fn now() -> Result<Self> {
        let mut loaded = Self::default();
        // One that is on its way out has an id and nothing else.
        loaded.programs.extend(loaded_programs().filter_map(|program| Some(program.ok()?.id())));
        loaded.maps.extend(loaded_maps().filter_map(|map| Some(map.ok()?.id())));
        loaded.links.extend(loaded_links().filter_map(|link| Some(link.ok()?.id())));
        collect_files(Path::new(PINS), &mut loaded.pins).with_context(|| format!("cannot list {PINS}"))?;
        Ok(loaded)
    }

    /// What was not there `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            programs: &self.programs - &before.programs,
            maps: &self.maps - &before.maps,
            links: &self.links - &before.links,
            pins: &self.pins - &before.pins,
        }
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn collect_files(dir: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect_files(&entry.path(), files)?;
        }
        files.insert(entry.path());
    }
    Ok(())
}

/// The sockets, by their addresses, whose openers the observer with this process id remembers in the kernel.
pub fn owned_sockets(observer: u32) -> Result<BTreeSet<u64>> {
    let held = map_ids(observer)?;
    let mut maps = loaded_maps().filter_map(Result::ok);
    let owners = maps.find(|map| held.contains(&map.id()) && map.name() == b"OWNERS");
    let id = owners.context("the observer holds no map OWNERS")?.id();
    let owners: HashMap<MapData, u64, Owner> = HashMap::try_from(Map::LruHashMap(MapData::from_id(id)?))?;
    owners.keys().collect::<Result<_, _>>().context("the map OWNERS changes while it is read")
}

/// The maps that a process holds by its file descriptors.
fn map_ids(pid: u32) -> Result<BTreeSet<u32>> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A file may be closed while the list is read.
        let info = fs::read_to_string(entry?.path()).unwrap_or_default();
        ids.extend(info.lines().filter_map(|line| line.strip_prefix("map_id:")?.trim().parse::<u32>().ok()));
    }
    Ok(ids)
}
