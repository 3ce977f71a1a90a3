//! Substitutes for request lines, which keep their shape: `GET /p1/p2?q1 HTTP/1.1`.

use super::names::{Kind, Names};

impl Names {
    /// What stands for a request line. The method and the version stay, if it has them.
    pub(super) fn request_line(&mut self, line: &str) -> String {
        let parts = line.split_once(' ').and_then(|(method, rest)| Some((method, rest.rsplit_once(' ')?)));
        match parts {
            Some((method, (uri, version))) if is_method(method) && is_version(version) && uri.starts_with('/') => {
                format!("{method} {} {version}", self.uri(uri))
            }
            Some(_) | None => self.of(Kind::Request, line),
        }
    }

    /// What stands for a path with its query.
    pub(super) fn uri(&mut self, uri: &str) -> String {
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        let segments: Vec<String> = path.split('/').map(|segment| self.of(Kind::Segment, segment)).collect();
        let query = query.map(|query| format!("?{}", self.of(Kind::Query, query)));
        segments.join("/") + &query.unwrap_or_default()
    }
}

fn is_method(word: &str) -> bool {
    !word.is_empty() && word.len() <= 10 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_version(word: &str) -> bool {
    matches!(word, "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0" | "HTTP/3.0")
}
