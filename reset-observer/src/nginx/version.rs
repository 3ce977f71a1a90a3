//! Which nginx a process runs, read from its binary without running it.

use std::{
    fs::File,
    io::{self, Read},
};

use anyhow::{Context as _, Result};

/// How much of a binary is read at a time.
const CHUNK: usize = 1 << 20;
/// No more of a binary is read than this: nginx with all modules linked in has some 20 MiB.
const MAX_BINARY: u64 = 256 << 20;
/// The longest line that is looked for: `configure arguments:` of Debian has 1.7 kB.
const MAX_LINE: usize = 32 << 10;

/// What the text in a binary begins with, as `nginx -V` prints it ([source]).
///
/// [source]: https://github.com/nginx/nginx/blob/release-1.29.7/src/core/nginx.c
const VERSION: &[u8] = b"nginx version: ";
const ANGIE: &[u8] = b"Angie version: ";
const TENGINE: &[u8] = b"Tengine version: ";
const ARGUMENTS: &[u8] = b"configure arguments:";

/// The family of nginx.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// nginx itself, and NGINX Plus.
    Nginx,
    /// OpenResty.
    OpenResty,
    /// Angie.
    Angie,
    /// Tengine.
    Tengine,
    /// Another one, by the name it gives itself.
    Other(String),
}

impl Product {
    fn named(name: &str) -> Self {
        match name {
            "nginx" => Self::Nginx,
            "openresty" => Self::OpenResty,
            "Angie" => Self::Angie,
            "Tengine" => Self::Tengine,
            other => Self::Other(other.to_owned()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Nginx => "nginx",
            Self::OpenResty => "openresty",
            Self::Angie => "Angie",
            Self::Tengine => "Tengine",
            Self::Other(name) => name,
        }
    }
}

/// The version of an nginx.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Whose it is.
    pub product: Product,
    /// Its own version, such as `1.21.4.1` of OpenResty.
    pub own: String,
    /// The version of nginx that it is built on; `None` for a product that does not say.
    pub core: Option<(u32, u32, u32)>,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.product.name(), self.own)?;
        match self.core {
            Some((major, minor, patch)) if self.product != Product::Nginx => {
                write!(f, " (nginx {major}.{minor}.{patch})")
            }
            _ => Ok(()),
        }
    }
}

impl Version {
    /// Reads `nginx/1.22.1`, `openresty/1.21.4.1`, `Angie/1.10.0`: a name and at least two numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once('/')?;
        let own = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.trim_matches('.');
        let mut numbers = own.split('.').map(|number| number.parse::<u32>().ok());
        let first = (numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or_default());
        let product = Product::named(name);
        // Angie and Tengine count their own way, and say in another line what they are built on.
        let core = match product {
            Product::Nginx | Product::OpenResty => Some(first),
            Product::Angie | Product::Tengine | Product::Other(_) => None,
        };
        Some(Self { product, own: own.to_owned(), core })
    }

    /// Whether it is built on this version of nginx or a later one; `None` if that is not known.
    #[must_use]
    pub fn is_at_least(&self, core: (u32, u32, u32)) -> Option<bool> {
        self.core.map(|own| own >= core)
    }
}

/// What a binary says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: Option<Version>,
    /// The arguments of `configure`, as one line.
    pub arguments: Option<String>,
}

impl Build {
    /// Reads the binary that a process runs, also after the file was replaced or removed.
    ///
    /// # Errors
    ///
    /// The process is gone, or may not be looked into.
    pub fn of_process(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/exe");
        let file = File::open(&path).with_context(|| format!("cannot open {path}: grant CAP_SYS_PTRACE"))?;
        Self::scan(file.take(MAX_BINARY)).with_context(|| format!("cannot read {path}"))
    }

    /// Looks for the texts that `nginx -V` prints.
    ///
    /// # Errors
    ///
    /// The binary can't be read to its end.
    pub fn scan(mut binary: impl Read) -> io::Result<Self> {
        let mut lines = [const { None }; 4];
        let mut window = Vec::new();
        loop {
            let read = (&mut binary).take(CHUNK as u64).read_to_end(&mut window)?;
            for (line, begins) in lines.iter_mut().zip([VERSION, ANGIE, TENGINE, ARGUMENTS]) {
                // What reaches the end of the window may go on; it is found again with what follows.
                if line.is_none()
                    && let Some((text, whole)) = find(&window, begins)
                    && (whole || read == 0)
                {
                    *line = Some(text);
                }
            }
            if read == 0 {
                return Ok(Self::from_lines(lines));
            }
            let kept = window.len().saturating_sub(MAX_LINE);
            window.drain(..kept);
        }
    }

    fn from_lines([nginx, angie, tengine, arguments]: [Option<String>; 4]) -> Self {
        let parse = |line: &Option<String>| line.as_deref().and_then(Version::parse);
        let nginx = parse(&nginx);
        let version = match parse(&angie).or(parse(&tengine)) {
            Some(own) => Some(Version { core: nginx.and_then(|nginx| nginx.core), ..own }),
            None => nginx,
        };
        Self { version, arguments: arguments.map(|line| line.trim().to_owned()) }
    }

    /// The value of an argument of `configure`, such as `conf-path` of `--conf-path=/etc/nginx/nginx.conf`.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&str> {
        let words =
            self.arguments.as_deref()?.split_ascii_whitespace().map(|word| word.trim_start_matches(['\'', '"']));
        // The last one counts.
        let mut values = words.filter_map(|word| word.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('='));
        values.next_back().map(|value| value.trim_matches(['\'', '"']))
    }
}

/// What follows `begins` up to the end of the line, and whether that end was there.
fn find(window: &[u8], begins: &[u8]) -> Option<(String, bool)> {
    let at = memchr::memmem::find(window, begins)? + begins.len();
    let rest = &window[at..];
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | 0));
    let text = &rest[..end.unwrap_or(rest.len()).min(MAX_LINE)];
    Some((String::from_utf8_lossy(text).into_owned(), end.is_some()))
}

#[cfg(test)]
mod tests;
