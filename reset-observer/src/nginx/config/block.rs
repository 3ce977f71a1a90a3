//! Which directives open a block, and what is in it.

use super::lua;

/// What is between the braces of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Directives of nginx or of a module that we may not know.
    Directives,
    /// Rows of a table, among which `include` alone is a directive.
    Table,
    /// Rows of a table, all of them data.
    Data,
    /// Lua code.
    Lua,
}

/// Blocks whose directives this reader understands; anything below another block is passed over.
const UNDERSTOOD: [&[u8]; 9] =
    [b"http", b"server", b"location", b"if", b"limit_except", b"upstream", b"stream", b"events", b"mail"];

/// What is in the block of the directive `name`.
pub(super) fn body(name: &[u8]) -> Body {
    match name {
        b"types" | b"map" | b"geo" => Body::Table,
        b"split_clients" | b"charset_map" => Body::Data,
        _ if lua::is_lua(name) => Body::Lua,
        _ => Body::Directives,
    }
}

/// Whether the reader understands what is in the block.
pub(super) fn is_understood(name: &[u8]) -> bool {
    UNDERSTOOD.contains(&name)
}

/// Whether nginx wants a block after the directive `name` in the block `parent` (empty: in none), where that is known.
pub(super) fn wants_block(name: &[u8], parent: &[u8]) -> Option<bool> {
    if !parent.is_empty() && !is_understood(parent) {
        return None;
    }
    match name {
        b"server" => Some(parent != b"upstream"),
        b"types" | b"map" | b"geo" | b"split_clients" | b"charset_map" => Some(true),
        _ if is_understood(name) || lua::is_lua(name) => Some(true),
        _ if is_setting(name) || name == b"include" => Some(false),
        _ => None,
    }
}

/// The modules that pass requests on; their directives have this prefix.
pub(super) const PASSING: [&str; 6] = ["proxy_", "fastcgi_", "uwsgi_", "scgi_", "grpc_", "memcached_"];

/// The settings of those modules that matter here, after the prefix.
pub(super) const PASS_SETTINGS: [&str; 15] = [
    "pass",
    "connect_timeout",
    "send_timeout",
    "read_timeout",
    "timeout",
    "next_upstream",
    "next_upstream_tries",
    "next_upstream_timeout",
    "socket_keepalive",
    "http_version",
    "set_header",
    "buffering",
    "request_buffering",
    "keep_conn",
    "ssl",
];

/// Other directives that this reader looks at.
const SETTINGS: [&[u8]; 13] = [
    b"server",
    b"daemon",
    b"master_process",
    b"worker_processes",
    b"pid",
    b"error_log",
    b"listen",
    b"server_name",
    b"keepalive",
    b"keepalive_timeout",
    b"keepalive_requests",
    b"keepalive_time",
    b"zone",
];

/// Lua code that chooses the server: `balancer_by_lua_block` and `balancer_by_lua_file`.
pub(super) const LUA_BALANCER: &[u8] = b"balancer_by_lua";

/// Whether this reader looks at the directive; no other one is kept in memory.
pub(super) fn is_setting(name: &[u8]) -> bool {
    SETTINGS.contains(&name) || name.starts_with(LUA_BALANCER) || is_pass_setting(name)
}

fn is_pass_setting(name: &[u8]) -> bool {
    let Ok(name) = str::from_utf8(name) else { return false };
    PASSING.iter().filter_map(|prefix| name.strip_prefix(prefix)).any(|setting| PASS_SETTINGS.contains(&setting))
}
