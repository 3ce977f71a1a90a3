//! `browser`: the daemon's page and a report in a real browser. Apart from the other tests, because a browser is large.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    apt, lab_tools,
    missing::Missing,
    pins::Pins,
    program::{find, is_root, run},
    toolchain,
    workspace::{self, cargo},
};

/// Programs that will do, the light one first.
const BROWSERS: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// Where pictures are kept, from the workspace.
const PICTURES: &str = "docs/pictures";

/// Installs a browser if there is none, and runs the lab's tests of the page and of the report with it.
pub(crate) fn browser(pins: &Pins) -> Result<()> {
    workspace::require_ebpf("look at")?;
    toolchain::ensure(pins)?;
    let tools = lab_tools::ensure()?;
    let browser = ensure()?;
    let built = workspace::build()?;
    if !is_root() {
        return Err(Missing::error(
            "the lab makes network namespaces and loads eBPF programs, for which it must be root",
            ["sudo cargo xtask browser".into()],
        ));
    }
    let pictures = workspace::root().join(PICTURES);
    std::fs::create_dir_all(&pictures)?;
    let mut lab = cargo("test");
    lab.args(["--package", "lab", "--test", "page", "--test", "report", "--", "--nocapture"]);
    lab.env("RESET_OBSERVER", &built.observer).env("LAB_BROWSER", &browser).env("LAB_PICTURES", &pictures);
    tools.tell(&mut lab);
    run(&mut lab)
}

fn ensure() -> Result<PathBuf> {
    let here = || BROWSERS.iter().find_map(|name| find(name));
    if let Some(browser) = here() {
        return Ok(browser);
    }
    let package = ["chromium-headless-shell".to_owned()];
    if !apt::offers(&package)? {
        let what = "there is no browser here: install chromium by your system's package manager";
        return Err(Missing::error(what, []));
    }
    apt::install("installing a headless browser, some 250 MB", &package)?;
    here().ok_or_else(|| Missing::error("chromium-headless-shell is installed, but is not in PATH", []))
}
