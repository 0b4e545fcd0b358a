//! `octofw sbom`.

use std::path::PathBuf;

use super::build::epoch_of_environment;
use super::writing::{WritingOptions, Written, keep_apart};
use super::{Failure, NO_MANIFEST, Status};
use crate::paint::count;
use crate::sbom::bom::Bom;
use crate::sbom::{SbomError, document, image, program, write};

/// Writes a bill of materials: SPDX 2.3 into files whose names end in .spdx.json, else CycloneDX 1.5
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw sbom program --package octobridge \
                        --target aarch64-unknown-linux-musl --out dist/sbom/octobridge.cdx.json\n\
                        Example: octofw sbom image --image dist/firmware.bin --out dist/sbom/image.spdx.json\n\
                        The same inputs give the same bytes. The time in it is SOURCE_DATE_EPOCH, or that of the image.")]
pub(super) struct Args {
    #[command(subcommand)]
    of: Of,
}

#[derive(Debug, clap::Subcommand)]
enum Of {
    Program(Program),
    Image(Image),
}

/// Of a Rust program: every crate that is linked into it
#[derive(Debug, clap::Args)]
struct Program {
    /// Manifest of the workspace
    #[arg(long, value_name = "FILE", default_value = "Cargo.toml")]
    manifest_path: PathBuf,
    /// The program's package
    #[arg(long, value_name = "NAME")]
    package: String,
    /// What it is built for
    #[arg(long, value_name = "TRIPLE")]
    target: String,
    /// Document to write; give it once per form. A name that ends in .dep-v0 gets what `cargo auditable` would put
    /// into that section of the program
    #[arg(long, value_name = "FILE", required = true)]
    out: Vec<PathBuf>,
    #[command(flatten)]
    writing: WritingOptions,
}

/// Of an image: its base, the packages of its root, its overlays with their files, and the programs in it
#[derive(Debug, clap::Args)]
struct Image {
    /// The image
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The manifest that `octofw build` wrote, if not beside the image
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// CycloneDX document that `octofw sbom program` wrote; give it once per program in the image
    #[arg(long, value_name = "FILE")]
    program_sbom: Vec<PathBuf>,
    /// Document to write; give it once per form
    #[arg(long, value_name = "FILE", required = true)]
    out: Vec<PathBuf>,
    #[command(flatten)]
    writing: WritingOptions,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        match self.of {
            Of::Program(of) => {
                let epoch = epoch_of_environment()?.unwrap_or_default();
                keep_apart(&of.out, [&of.manifest_path])?;
                save(&program::bill(&of.manifest_path, &of.package, &of.target, epoch)?, &of.out, of.writing)
            }
            Of::Image(of) => {
                let manifest = of.manifest.unwrap_or_else(|| crate::manifest::Manifest::path_for(&of.image));
                keep_apart(&of.out, [&of.image, &manifest].into_iter().chain(&of.program_sbom))?;
                let made = image::bill(&manifest, &of.image, &of.program_sbom);
                let bill =
                    made.map_err(|error| Failure::from(error).with_if(!manifest.exists(), NO_MANIFEST))?;
                save(&bill, &of.out, of.writing)
            }
        }
    }
}

fn save(bom: &Bom, out: &[PathBuf], writing: WritingOptions) -> Result<Status, Failure> {
    let about = count(bom.components.len(), "component", "components");
    let mut written = Vec::new();
    for out in out {
        writing.check(out)?;
        let size = if writing.dry_run { document(bom, out)?.len() as u64 } else { write(bom, out)? };
        written.push(Written::new(out, size, Some(about.clone())));
    }
    writing.tell(&written)
}

impl From<SbomError> for Failure {
    fn from(error: SbomError) -> Self {
        Self::new(super::status_of(error.is_wrong_input()), error)
    }
}
