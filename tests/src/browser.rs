//! A headless browser, for the pages that people open.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Runs the browser that this command starts, and gives what it printed. What a page makes it complain of, such as a refused
/// style, fails; so does a browser that can't be run or ends badly.
pub fn run(mut browser: Command, arguments: &[&str]) -> Result<String> {
    let profile = TempDir::new()?;
    let output = browser
        // Root has no sandbox of its own to go into.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {}", browser.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the browser ended by {}: {said}", output.status);
    let complaint = said.lines().find(|line| line.contains(":CONSOLE"));
    ensure!(complaint.is_none(), "the browser complains: {complaint:?}");
    Ok(String::from_utf8(output.stdout)?)
}
