//! A headless browser, for the pages that people open.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Widths of windows in pixels at which a page must show all without being moved sideways: phones, a tablet, a desk.
pub const WIDTHS: [u32; 5] = [320, 360, 390, 768, 1200];

/// What the name of a picture begins with, and by what flag a browser prefers that scheme of colours.
pub const SCHEMES: [(&str, &str); 2] =
    [("", "--force-color-profile=srgb"), ("dark-", "--blink-settings=preferredColorScheme=0")];

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

/// Fails if a page is wider than a window of `width` pixels, or a part of it is cut off, with all that opens opened. Gives
/// its height in pixels before that. It lies in a frame, for which `directory` has to be writable, and is looked into by
/// another page, because it allows no script itself; `run` is [`run`] with a browser.
///
/// # Errors
/// If it overflows or is empty, or the browser fails.
pub fn fits(run: impl Fn(&[&str]) -> Result<String>, directory: &Path, address: &str, width: u32) -> Result<u32> {
    let frame = directory.join("frame.html");
    let page = format!(
        "<!doctype html><iframe width=\"{width}\" height=\"900\" src=\"{address}\"></iframe><p id=\"told\"></p><script>
        const frame = document.querySelector('iframe');
        frame.onload = () => {{
            const inner = frame.contentDocument, edge = inner.documentElement.clientWidth;
            const height = inner.documentElement.scrollHeight;
            inner.querySelectorAll('details').forEach(one => one.open = true);
            const over = [...inner.body.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > edge + 1
                && !one.closest('.wide') && !one.closest('svg'));
            document.getElementById('told').textContent = 'drawn ' + inner.querySelectorAll('section').length
                + ', high ' + height + ', too wide ' + (inner.documentElement.scrollWidth - edge) + ', beyond ' + over.map(one => one.className);
        }};
        </script>"
    );
    fs::write(&frame, page)?;
    let dom = run(&["--allow-file-access-from-files", "--dump-dom", &format!("file://{}", frame.display())])?;
    let told = dom.split("<p id=\"told\">").nth(1).and_then(|rest| rest.split("</p>").next()).unwrap_or_default();
    ensure!(
        told.ends_with(", too wide 0, beyond ") && !told.starts_with("drawn 0"),
        "at {width} pixels: {told:?} {dom}"
    );
    let height = told.split_once(", high ").and_then(|(_, rest)| rest.split(',').next());
    Ok(height.context("no height is told")?.parse()?)
}
