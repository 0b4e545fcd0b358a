//! `octofw sbom`.

use std::path::{Path, PathBuf};

use super::{Failure, Status, print};
use crate::sbom::bom::Bom;
use crate::sbom::{SbomError, image, program, write};

/// Writes a bill of materials in CycloneDX 1.5 JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw sbom program --package octobridge \
                        --target aarch64-unknown-linux-musl --out dist/sbom/octobridge.cdx.json\n\
                        The same inputs give the same bytes.")]
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
    /// Document to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Of an image: its base, its overlays with their files, and the program in it
#[derive(Debug, clap::Args)]
struct Image {
    /// The manifest that `octofw build` wrote beside the image
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The document that `octofw sbom program` wrote
    #[arg(long, value_name = "FILE")]
    program_sbom: PathBuf,
    /// Document to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        match self.of {
            Of::Program(of) => save(&program::bill(&of.manifest_path, &of.package, &of.target)?, &of.out),
            Of::Image(of) => save(&image::bill(&of.manifest, &of.program_sbom)?, &of.out),
        }
    }
}

fn save(bom: &Bom, out: &Path) -> Result<Status, Failure> {
    write(bom, out)?;
    print(&format!("{}: {} components\n", out.display(), bom.components.len()))?;
    Ok(Status::Fine)
}

impl From<SbomError> for Failure {
    fn from(error: SbomError) -> Self {
        Self::new(super::status_of(error.is_wrong_input()), error)
    }
}
