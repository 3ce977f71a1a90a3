//! An image in the OCI layout, written without any tool for images: one layer, from scratch ([specification]). `podman
//! load`, `skopeo copy oci-archive:` and `ctr images import` take it.
//!
//! [specification]: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::program::{output_of, run};

/// Where the image is in the making.
pub(crate) struct Layout {
    directory: PathBuf,
    epoch: u64,
}

impl Layout {
    /// An empty one in an empty directory; all that is in it bears the time `epoch`, seconds since 1970.
    pub(crate) fn new(directory: PathBuf, epoch: u64) -> Result<Self> {
        fs::create_dir_all(directory.join("blobs/sha256"))?;
        fs::write(directory.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
        Ok(Self { directory, epoch })
    }

    /// Makes `root` the only layer of an image called `reference`, with this configuration of its process.
    pub(crate) fn write(&self, root: &Path, process: &Value, reference: &str) -> Result<()> {
        let (layer, diff_id) = self.layer(root)?;
        let config = json!({
            "created": self.created()?,
            "architecture": "amd64",
            "os": "linux",
            "config": process,
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
            "history": [{ "created": self.created()?, "created_by": "cargo xtask image" }],
        });
        let config = self.blob(&serde_json::to_vec(&config)?, "application/vnd.oci.image.config.v1+json")?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
            "annotations": process["Labels"],
        });
        let mut manifest = self.blob(&serde_json::to_vec(&manifest)?, "application/vnd.oci.image.manifest.v1+json")?;
        manifest["platform"] = json!({ "architecture": "amd64", "os": "linux" });
        // containerd goes by its own name for it, which is the one that the kubelet asks for.
        manifest["annotations"] = json!({
            "org.opencontainers.image.ref.name": reference,
            "io.containerd.image.name": format!("docker.io/library/{reference}"),
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        });
        Ok(fs::write(self.directory.join("index.json"), index.to_string())?)
    }

    /// All of it in one file.
    pub(crate) fn archive(&self, file: &Path) -> Result<()> {
        run(&mut self.tar(&self.directory, file))
    }

    /// The layer's descriptor and the digest of what it unpacks to.
    fn layer(&self, root: &Path) -> Result<(Value, String)> {
        let tar = self.directory.join("layer.tar");
        run(&mut self.tar(root, &tar))?;
        let diff_id = format!("sha256:{}", sha256_of(&tar)?);
        run(Command::new("gzip").args(["--no-name", "--best"]).arg(&tar))?;
        let packed = self.directory.join("layer.tar.gz");
        let descriptor = self.blob(&fs::read(&packed)?, "application/vnd.oci.image.layer.v1.tar+gzip")?;
        fs::remove_file(packed)?;
        Ok((descriptor, diff_id))
    }

    /// Of equal files an equal archive.
    fn tar(&self, directory: &Path, file: &Path) -> Command {
        let mut tar = Command::new("tar");
        tar.args(["--create", "--format=posix", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
        tar.args(["--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"]);
        tar.arg(format!("--mtime=@{}", self.epoch)).arg("--file").arg(file).arg("--directory").arg(directory).arg(".");
        tar
    }

    fn blob(&self, bytes: &[u8], media_type: &str) -> Result<Value> {
        let draft = self.directory.join("draft");
        fs::write(&draft, bytes)?;
        let digest = sha256_of(&draft)?;
        fs::rename(draft, self.directory.join("blobs/sha256").join(&digest))?;
        Ok(json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len() }))
    }

    fn created(&self) -> Result<String> {
        let date = format!("@{}", self.epoch);
        Ok(output_of(Command::new("date").args(["--utc", "+%FT%TZ", "--date", &date]))?.trim().to_owned())
    }
}

fn sha256_of(file: &Path) -> Result<String> {
    let sum = output_of(Command::new("sha256sum").arg("--").arg(file))?;
    Ok(sum.split_whitespace().next().context("sha256sum printed nothing")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_give_an_equal_image_whose_blobs_bear_their_digests() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("program"), "bytes").unwrap();
        let write = |name: &str| {
            let directory = scratch.path().join(name);
            let layout = Layout::new(directory.clone(), 1_000_000_000).unwrap();
            layout.write(&root, &json!({ "Labels": { "a": "b" } }), "program:1").unwrap();
            (fs::read_to_string(directory.join("index.json")).unwrap(), directory)
        };
        let (one, directory) = write("one");
        assert_eq!(one, write("other").0);
        assert!(one.contains("\"io.containerd.image.name\":\"docker.io/library/program:1\""), "{one}");
        let blobs: Vec<_> =
            fs::read_dir(directory.join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path()).collect();
        assert_eq!(blobs.len(), 3, "a layer, its configuration, a manifest");
        for blob in blobs {
            assert_eq!(sha256_of(&blob).unwrap(), blob.file_name().unwrap().to_str().unwrap());
        }
    }
}
