//! `tls_server_config`.

use std::path::{Path, PathBuf};

use super::mapping;
use crate::yaml::{Mapping, Mistake, Node, unknown};

/// Certificates or a key in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// In this file.
    File(PathBuf),
    /// The text itself.
    Text(String),
}

/// Which certificates of clients are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None.
    NotAsked,
    /// One that these authorities signed, of clients that have one.
    IfGiven(Pem),
    /// One that these authorities signed.
    Required(Pem),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// How to speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The server's certificate, and those between it and its authority.
    pub certificate: Pem,
    /// Its key.
    pub key: Pem,
    /// What clients must show.
    pub clients: ClientCertificates,
    /// The oldest version.
    pub oldest: TlsVersion,
    /// The newest version.
    pub newest: TlsVersion,
}

impl TlsConfig {
    pub(super) fn read(node: &Node, directory: &Path) -> Result<Self, Mistake> {
        let known = [
            "cert",
            "cert_file",
            "key",
            "key_file",
            "client_auth_type",
            "client_ca",
            "client_ca_file",
            "min_version",
            "max_version",
        ];
        let tls = mapping(node, &known)?;
        let wanted = |inline, file| {
            let missing = || Mistake::new(node.place, format!("{file} is missing: TLS needs cert_file and key_file"));
            pem(tls, inline, file, directory)?.ok_or_else(missing)
        };
        let oldest = version(tls, "min_version")?.unwrap_or(TlsVersion::Tls12);
        let newest = version(tls, "max_version")?.unwrap_or(TlsVersion::Tls13);
        if oldest > newest {
            return Err(Mistake::new(node.place, "min_version is newer than max_version: exchange them"));
        }
        let (certificate, key) = (wanted("cert", "cert_file")?, wanted("key", "key_file")?);
        Ok(Self { certificate, key, clients: clients(tls, node, directory)?, oldest, newest })
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let authorities = match &self.clients {
            ClientCertificates::NotAsked => None,
            ClientCertificates::IfGiven(pem) | ClientCertificates::Required(pem) => Some(pem),
        };
        let pems = [Some(&self.certificate), Some(&self.key), authorities];
        pems.into_iter()
            .flatten()
            .filter_map(|pem| match pem {
                Pem::File(path) => Some(path.clone()),
                Pem::Text(_) => None,
            })
            .collect()
    }
}

fn pem(tls: Mapping<'_>, inline: &str, file: &str, directory: &Path) -> Result<Option<Pem>, Mistake> {
    match (tls.text(inline)?, tls.text(file)?) {
        (Some(_), Some(_)) => {
            let place = tls.get(file).map(|node| node.place).unwrap_or_default();
            Err(Mistake::new(place, format!("{inline} and {file} are both given: leave one out")))
        }
        (Some(text), None) => Ok(Some(Pem::Text(text.to_owned()))),
        (None, path) => Ok(path.map(|path| Pem::File(directory.join(path)))),
    }
}

fn version(tls: Mapping<'_>, key: &str) -> Result<Option<TlsVersion>, Mistake> {
    let Some(node) = tls.get(key) else { return Ok(None) };
    match node.text()? {
        "TLS12" => Ok(Some(TlsVersion::Tls12)),
        "TLS13" => Ok(Some(TlsVersion::Tls13)),
        "TLS10" | "TLS11" => Err(Mistake::new(node.place, "TLS before 1.2 is not safe and not offered: write TLS12")),
        other => Err(Mistake::new(node.place, unknown(other, &["TLS12", "TLS13"]).replacen("key", "version", 1))),
    }
}

fn clients(tls: Mapping<'_>, node: &Node, directory: &Path) -> Result<ClientCertificates, Mistake> {
    let authorities = pem(tls, "client_ca", "client_ca_file", directory)?;
    let (kind, place) = match tls.get("client_auth_type") {
        Some(kind) => (kind.text()?, kind.place),
        None => ("NoClientCert", node.place),
    };
    let wrong = |message: &str| Err(Mistake::new(place, message));
    match (kind, authorities) {
        ("NoClientCert", None) => Ok(ClientCertificates::NotAsked),
        // As Go's own server has it: an authority without a type says that nobody would be asked.
        ("NoClientCert", Some(_)) => {
            wrong("client_ca_file is given, but no client is asked: write client_auth_type: RequireAndVerifyClientCert")
        }
        ("VerifyClientCertIfGiven", Some(authorities)) => Ok(ClientCertificates::IfGiven(authorities)),
        ("RequireAndVerifyClientCert", Some(authorities)) => Ok(ClientCertificates::Required(authorities)),
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            wrong("client_ca_file is missing: by whom are the certificates of clients to be signed?")
        }
        ("RequestClientCert" | "RequireAnyClientCert", _) => {
            wrong("this type checks no certificate, so that anyone could make one: write RequireAndVerifyClientCert")
        }
        (other, _) => {
            let known = ["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"];
            wrong(&unknown(other, &known).replacen("key", "client_auth_type", 1))
        }
    }
}
