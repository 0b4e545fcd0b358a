//! `octofw standin`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::lock::PackageOptions;
use super::writing::{WritingOptions, Written};
use super::{Failure, Status};
use crate::debian::Archive;
use crate::standin::container::{ContainerError, ContainerOptions, write_container};
use crate::standin::{self, Compressor, Generation, RootOptions, Size, StandinError};

/// Makes a stand-in for the stock firmware, without any of the vendor's code
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw standin --size mini --out dist/base.bin\n\
                        The same recipe, package and tools give the same bytes.")]
pub(super) struct Args {
    /// Firmware file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// mini for tests, padded beyond the 50 MB that the printer's own check demands
    #[arg(long, value_enum, default_value_t = SizeName::Mini)]
    size: SizeName,
    /// Generation of the owner's settings: extended.cfg (v1.0) or extended2.cfg (v1.1)
    #[arg(long, value_enum, default_value_t = GenerationName::V1_1)]
    generation: GenerationName,
    /// Version of the outer container; both have the same layout
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2))]
    container_version: u16,
    /// Compressor of the root file system (the 1.x kernel does not read zstd)
    #[arg(long, value_enum, default_value_t = CompressorName::Gzip)]
    compressor: CompressorName,
    /// Block size of the root file system in bytes, a power of two from 4096 to 1048576
    #[arg(long, value_name = "BYTES", default_value = "131072", value_parser = block_size)]
    block_size: u32,
    /// Write only the root file system
    #[arg(long)]
    squashfs: bool,
    /// The recipe
    #[arg(long, value_name = "DIR", default_value = "rootfs")]
    recipe: PathBuf,
    #[command(flatten)]
    packages: PackageOptions,
    #[command(flatten)]
    writing: WritingOptions,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SizeName {
    Mini,
    Padded,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GenerationName {
    #[value(name = "v1.0")]
    V1_0,
    #[value(name = "v1.1")]
    V1_1,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompressorName {
    Gzip,
    Xz,
    Zstd,
}

fn block_size(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size: &u32| size.is_power_of_two());
    size.filter(|size| (4096..=1 << 20).contains(size))
        .ok_or_else(|| "it must be a power of two from 4096 to 1048576".to_owned())
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let lock = self.packages.lock.read()?;
        let cache = self.packages.cache.begin(None, true)?;
        let archive = Archive::open(cache.folder())?.offline(self.packages.offline);
        let (busybox, met) = standin::gather(&self.recipe, &archive, lock.as_ref())?;
        drop(archive);
        if let Some(lock) = &lock {
            self.packages.lock.admit(lock, &met)?;
        }
        let root = self.root_options();
        let failed = |error| Failure::new(Status::Findings, format!("cannot make the stand-in: {error}"));
        let scratch = tempfile::tempdir().map_err(failed)?;
        let dry = scratch.path().join("out");
        let out = if self.writing.dry_run { &dry } else { &self.out };
        if self.squashfs {
            standin::write_root(&self.recipe, &busybox, &root, out)?;
        } else {
            let squashfs = scratch.path().join("root.squashfs");
            standin::write_root(&self.recipe, &busybox, &root, &squashfs)?;
            write_container(&squashfs, &self.container_options(), out)?;
        }
        cache.end(self.packages.offline);
        let size = std::fs::metadata(out).map_err(failed)?.len();
        self.writing.tell(&[Written::new(&self.out, size, None)])
    }

    fn root_options(&self) -> RootOptions {
        RootOptions {
            size: self.size(),
            generation: match self.generation {
                GenerationName::V1_0 => Generation::V1_0,
                GenerationName::V1_1 => Generation::V1_1,
            },
            compressor: match self.compressor {
                CompressorName::Gzip => Compressor::Gzip,
                CompressorName::Xz => Compressor::Xz,
                CompressorName::Zstd => Compressor::Zstd,
            },
            block_size: self.block_size,
        }
    }

    fn container_options(&self) -> ContainerOptions {
        let version = match self.generation {
            GenerationName::V1_0 => "1.0.0.158".to_owned(),
            GenerationName::V1_1 => ContainerOptions::default().version,
        };
        ContainerOptions { size: self.size(), container_version: self.container_version, version }
    }

    fn size(&self) -> Size {
        match self.size {
            SizeName::Mini => Size::Mini,
            SizeName::Padded => Size::Padded,
        }
    }
}

impl From<StandinError> for Failure {
    fn from(error: StandinError) -> Self {
        Self::new(Status::Findings, error)
    }
}

impl From<ContainerError> for Failure {
    fn from(error: ContainerError) -> Self {
        Self::new(Status::Findings, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sizes_are_those_of_squashfs() {
        assert_eq!(block_size("131072"), Ok(131_072));
        assert_eq!(block_size("1048576"), Ok(1 << 20));
        for wrong in ["2048", "2097152", "100000", "0", "-1", "x", ""] {
            assert!(block_size(wrong).is_err(), "{wrong}");
        }
    }
}
