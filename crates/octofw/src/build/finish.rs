//! The last stage: the image around the new root, the proof, the manifest, and both in their places.

use std::fs::{self, File};
use std::path::Path;
use std::thread;

use sha2::{Digest, Sha256};

use super::state::State;
use super::work::Work;
use super::{BuildError, proof};
use crate::digest;
use crate::image::{Image, ROOTFS, Rebuild, Rebuilt};
use crate::manifest::{AppliedOverlay, Built, Manifest, Root, SCHEMA};
use crate::rootfs::packing::Packing;
use crate::rootfs::session::{Plan, Report};
use crate::rootfs::steps::Step;
use crate::sbom::inside;

/// A new root, and how it came to be.
pub(super) struct MadeRoot {
    pub(super) plan: Plan,
    pub(super) report: Report,
    /// How the base's root is packed.
    pub(super) packing: Packing,
    /// The overlays as they were when they were applied.
    pub(super) applied: Vec<AppliedOverlay>,
}

/// What is known of an image that is written.
pub(super) struct Sealed {
    rebuilt: Rebuilt,
    sha256: String,
    size: u64,
    root_sha256: String,
}

impl Work<'_> {
    /// Writes the manifest, and puts both in their places.
    pub(super) fn finish(
        &self,
        state: &mut State,
        image: &Image,
        made: MadeRoot,
        sealed: Sealed,
    ) -> Result<(Manifest, Vec<Step>), BuildError> {
        let MadeRoot { plan, report, packing, applied } = made;
        let slot_size = sealed.rebuilt.slot_limit;
        let manifest = Manifest {
            schema: SCHEMA,
            base: self.base(image)?,
            overlays: applied,
            order: self.settings.order,
            profile: self.settings.profile.clone(),
            source_date_epoch: plan.epoch,
            result: Built { sha256: sealed.sha256, size: sealed.size, version: sealed.rebuilt.version },
            rootfs: Root {
                sha256: sealed.root_sha256,
                size: report.size,
                base_size: image.span_of(ROOTFS)?.len,
                slot_size,
                slot_fill_permille: slot_size
                    .map(|slot| report.size.saturating_mul(1000).div_ceil(slot.max(1))),
                compressor: packing.superblock.compressor.name().to_owned(),
                block_size: packing.superblock.block_size,
                packed: report.packed,
                dead_bytes: report.dead_bytes,
                base: report.base,
                result: report.result,
            },
            changes: report.changes,
            notes: report.notes,
            tools: self.tools.clone(),
        };
        if !self.base.is_same(state)? {
            return Err(BuildError::BaseChanged { path: self.settings.base.clone() });
        }
        self.put_in_place(state, &plan.result, &manifest)?;
        Ok((manifest, report.steps))
    }

    /// Writes everything around the new root, which has `size` bytes, and shows that it is right and on the disk. What can
    /// be done at the same time is: the disk takes the root, the session `ended` and gave its report, and the unpacked tree
    /// goes, while sums are taken.
    pub(super) fn seal(
        &self,
        image: &Image,
        plan: &Plan,
        size: u64,
        ended: impl FnOnce() -> Result<Report, BuildError> + Send,
    ) -> (Result<Sealed, BuildError>, Result<Report, BuildError>) {
        thread::scope(|scope| {
            let report = scope.spawn(|| {
                let report = ended();
                // What stays behind goes with the build folder.
                let _ = fs::remove_dir_all(&plan.tree);
                report
            });
            let sealed = self.seal_beside(image, plan, size);
            (sealed, report.join().unwrap_or(Err(BuildError::Thread)))
        })
    }

    fn seal_beside(&self, image: &Image, plan: &Plan, size: u64) -> Result<Sealed, BuildError> {
        let path = plan.result.as_path();
        let failed = |action: &str| {
            let what = format!("cannot {action} {}", path.display());
            move |e| BuildError::system(what, e)
        };
        let suffix = self.settings.version_suffix.as_deref();
        let file = File::open(path).map_err(failed("read"))?;
        let rebuild = Rebuild { base: image, rootfs: path, version_suffix: suffix };
        thread::scope(|scope| {
            scope.spawn(|| file.sync_data());
            let (rebuilt, written) = rebuild.complete(size)?;
            let synced = scope.spawn(|| file.sync_all());
            let digest = scope.spawn(|| digest::of_file(path));
            proof::prove(image, path, &written)?;
            // That of the base too, where nobody wanted it before.
            self.base.sha256()?;
            synced.join().map_err(|_| BuildError::Thread)?.map_err(failed("write"))?;
            let (sha256, size) = digest.join().map_err(|_| BuildError::Thread)?.map_err(failed("read"))?;
            let root_sha256 = digest::hex(&written.sha256.unwrap_or_default());
            Ok(Sealed { rebuilt, sha256, size, root_sha256 })
        })
    }

    /// Moves image and manifest out of the build folder, where a build that ends at any time leaves nothing to clear up.
    fn put_in_place(&self, state: &mut State, made: &Path, manifest: &Manifest) -> Result<(), BuildError> {
        let out = &self.settings.out;
        let path = Manifest::path_for(out);
        let text =
            manifest.to_json().map_err(|e| BuildError::system("cannot write the manifest", e.into()))?;
        let beside = made.with_extension("manifest");
        fs::write(&beside, &text)
            .map_err(|e| BuildError::system(format!("cannot write {}", beside.display()), e))?;
        state.begin()?;
        for (from, to) in [(made, out), (&beside, &path)] {
            fs::rename(from, to)
                .map_err(|e| BuildError::system(format!("cannot write {}", to.display()), e))?;
        }
        let manifest_sha256 = digest::hex(&Sha256::digest(&text));
        // What the bill follows from is in the key already.
        let overlays: Vec<_> =
            manifest.overlays.iter().filter(|overlay| overlay.name != inside::NAME).cloned().collect();
        let key = self.key(state, &overlays)?;
        state.finish(&key, &[(out, &manifest.result.sha256), (&path, &manifest_sha256)])?;
        Ok(())
    }
}
