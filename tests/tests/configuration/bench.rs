//! A configuration given to nginx and to the reader.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::programs;
use reset_observer::nginx::config::Configuration;
use reset_observer::nginx::config::directive::Origin;
use reset_observer::nginx::config::source::Root;

/// What nginx refuses without knowing any directive, which is what the reader has to refuse too.
const GRAMMAR: [&str; 6] = [
    "unexpected \"",
    "unexpected end of file",
    "too long parameter",
    "invalid number of arguments in \"include\"",
    "Lua code block missing the closing long bracket",
    "in upstream \"",
];

/// A scratch directory with a main file that includes `case.conf` inside `http {}`.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    /// `load_module` directives for the main file.
    pub(crate) modules: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), modules: String::new() };
        bench.write_main("include case.conf;");
        bench
    }

    /// The same with the Lua module, where Debian's packages are unpacked.
    pub(crate) fn with_lua() -> Self {
        let mut bench = Self::new();
        if let Some(root) = programs::nginx_packages() {
            let modules = root.join("usr/lib/nginx/modules");
            let load = |name: &str| format!("load_module {}/{name};\n", modules.display());
            bench.modules = load("ndk_http_module.so") + &load("ngx_http_lua_module.so");
            let lua = format!("lua_package_path '{}/usr/share/lua/5.1/?.lua;;';", root.display());
            bench.write_main(&format!("{lua}\ninclude case.conf;"));
        }
        bench
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(crate) fn write_main(&self, http: &str) {
        let dir = self.dir.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
            .concat();
        let modules = &self.modules;
        let text = format!(
            "{modules}pid {dir}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{http}\n}}\n"
        );
        fs::write(self.path("nginx.conf"), text).unwrap();
    }

    pub(crate) fn nginx(&self, option: &str) -> (bool, String) {
        let mut nginx = Command::new(programs::nginx().unwrap());
        nginx.arg(option).arg("-p").arg(self.dir.path()).args(["-e", "stderr", "-c"]).arg(self.path("nginx.conf"));
        if let Some(lib) = programs::nginx_packages().filter(|_| !self.modules.is_empty()) {
            nginx.env(
                "LD_LIBRARY_PATH",
                env::join_paths([lib.join("usr/lib/x86_64-linux-gnu"), lib.join("lib/x86_64-linux-gnu")]).unwrap(),
            );
        }
        let output = nginx.output().unwrap();
        let said = if option == "-T" { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub(crate) fn ours(&self) -> Configuration {
        Configuration::read(&Root::at(Path::new("/")).unwrap(), &Origin::file(self.path("nginx.conf")))
    }

    /// What is different between nginx and us about this text; nothing, one hopes.
    pub(crate) fn difference(&self, case: &[u8]) -> Option<String> {
        fs::write(self.path("case.conf"), case).unwrap();
        let (accepted, said) = self.nginx("-t");
        let all: Vec<String> = self.ours().problems.iter().map(ToString::to_string).collect();
        let theirs =
            said.lines().find_map(|line| line.split_once("[emerg] ")?.1.split_once(": ")).map(|(_, says)| says);
        let agree = match (accepted, theirs, all.first()) {
            (true, _, None) => true,
            (false, Some(theirs), Some(ours)) if is_grammar(theirs) => {
                // We tell grammar first, and leave out what the Lua module adds.
                let same = |ours: &String| theirs == ours;
                all.iter().any(same) || (theirs.contains("long bracket") && place(theirs) == place(ours))
            }
            // What only a module can refuse we pass over, but nothing before it.
            (false, Some(theirs), Some(ours)) => line(ours) >= line(theirs),
            (false, Some(theirs), None) => !is_grammar(theirs),
            _ => false,
        };
        let shown = case.escape_ascii();
        (!agree).then(|| format!("nginx {accepted}: {said}\nours: {all:?}\ncase: {shown}"))
    }
}

fn is_grammar(message: &str) -> bool {
    // nginx looks names up, and we do not.
    !message.starts_with("host not found") && GRAMMAR.iter().any(|says| message.contains(says))
}

fn place(message: &str) -> Option<&str> {
    message.rsplit_once(" in ").map(|(_, place)| place)
}

fn line(message: &str) -> Option<u32> {
    message.rsplit_once(':')?.1.trim().parse().ok()
}

/// A generator of numbers that needs no crate (xorshift).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    pub(crate) fn soup(&mut self, pieces: &[&str], most: usize) -> String {
        (0..=self.below(most)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}
