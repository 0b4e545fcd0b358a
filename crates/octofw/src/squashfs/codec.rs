//! Compressing and decompressing single blocks, in each of the forms that the printer's kernels read.
//!
//! Every output is bounded by what the caller expects, whatever the bytes claim. LZMA, which no kernel reads, and LZO,
//! for which there is no sound encoder, are left out: a root that uses them is packed anew as a whole.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU64;

use flate2::{Compress, Compression, FlushCompress, Status};
use lzma_rust2::{CheckType, LzmaOptions, XzOptions, XzReader, XzWriter};

use super::Compressor;

/// Memory that an xz block may ask for, in KiB. The kernel gives it the size of a block, which is 1 MiB at most.
const XZ_MEMORY: u32 = 16 * 1024;
/// Levels of squashfs-tools where the image states none (`gzip_wrapper.h`, `zstd_wrapper.h`).
const GZIP_LEVEL: u32 = 9;
const ZSTD_LEVEL: u32 = 15;
/// Highest gzip level for tables.
const TABLE_LEVEL: u32 = 6;
/// Preset of liblzma that squashfs-tools use.
const XZ_PRESET: u32 = 6;

/// The compressor of one file system, with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    method: Method,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Method {
    Gzip { level: u32 },
    Xz { dictionary: u32 },
    Lz4,
    Zstd { level: i32 },
}

impl Codec {
    /// The codec of a file system with blocks of `block_size` bytes; `options` are those that its compressor left behind
    /// the superblock, empty where there are none. `None` for a compressor that is not supported.
    #[must_use]
    pub fn new(compressor: Compressor, options: &[u8], block_size: u32) -> Option<Self> {
        let first = options.first_chunk().copied().map(u32::from_le_bytes);
        let method = match compressor {
            Compressor::Gzip => {
                Method::Gzip { level: first.filter(|level| (1..=9).contains(level)).unwrap_or(GZIP_LEVEL) }
            }
            // The kernel refuses a dictionary that is larger than the one it made ready.
            Compressor::Xz => Method::Xz {
                dictionary: first
                    .filter(|size| (8192..=block_size).contains(size))
                    .unwrap_or(block_size.max(8192)),
            },
            Compressor::Lz4 => Method::Lz4,
            Compressor::Zstd => {
                let level = first.filter(|level| (1..=22).contains(level)).unwrap_or(ZSTD_LEVEL);
                Method::Zstd { level: i32::try_from(level).unwrap_or(15) }
            }
            Compressor::Lzma | Compressor::Lzo => return None,
        };
        Some(Self { method })
    }

    /// The codec for tables, which are written anew each time: the last percent is not worth half of the time.
    #[must_use]
    pub fn for_tables(&self) -> Self {
        let method = match self.method {
            Method::Gzip { level } => Method::Gzip { level: level.min(TABLE_LEVEL) },
            ref other => other.clone(),
        };
        Self { method }
    }

    /// The compressed form of a block, or `None` where it would not be smaller and the block is stored as it is.
    #[must_use]
    pub fn compress(&self, block: &[u8]) -> Option<Vec<u8>> {
        let packed = match self.method {
            Method::Gzip { level } => gzip(block, level),
            Method::Xz { dictionary } => xz(block, dictionary),
            Method::Lz4 => Some(lz4_flex::block::compress(block)),
            Method::Zstd { level } => zstd::bulk::compress(block, level).ok(),
        };
        packed.filter(|packed| !packed.is_empty() && packed.len() < block.len())
    }

    /// The content of a compressed block; `None` where the bytes are no such block, or hold more than `most` bytes.
    #[must_use]
    pub fn decompress(&self, packed: &[u8], most: usize) -> Option<Vec<u8>> {
        match self.method {
            Method::Gzip { .. } => {
                let mut block = vec![0; most];
                let length = libdeflater::Decompressor::new().zlib_decompress(packed, &mut block).ok()?;
                block.truncate(length);
                Some(block)
            }
            Method::Xz { .. } => {
                let mut block = Vec::new();
                let limit = u64::try_from(most).ok()?.checked_add(1)?;
                XzReader::new_mem_limit(packed, false, XZ_MEMORY).take(limit).read_to_end(&mut block).ok()?;
                (block.len() <= most).then_some(block)
            }
            Method::Lz4 => {
                let mut block = vec![0; most];
                let length = lz4_flex::block::decompress_into(packed, &mut block).ok()?;
                block.truncate(length);
                Some(block)
            }
            Method::Zstd { .. } => {
                let mut block = vec![0; most];
                let length = zstd::bulk::decompress_to_buffer(packed, block.as_mut_slice()).ok()?;
                block.truncate(length);
                Some(block)
            }
        }
    }
}

/// Gives up as soon as the result is not smaller.
fn gzip(block: &[u8], level: u32) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(block.len());
    let mut stream = Compress::new(Compression::new(level), true);
    let status = stream.compress_vec(block, &mut packed, FlushCompress::Finish).ok()?;
    (status == Status::StreamEnd).then_some(packed)
}

/// One stream of one block with a CRC-32, the only check that the kernel knows.
fn xz(block: &[u8], dictionary: u32) -> Option<Vec<u8>> {
    let options = XzOptions {
        lzma_options: LzmaOptions { dict_size: dictionary, ..LzmaOptions::with_preset(XZ_PRESET) },
        check_type: CheckType::Crc32,
        block_size: None::<NonZeroU64>,
        filters: Vec::new(),
    };
    let mut writer = XzWriter::new(Vec::new(), options).ok()?;
    writer.write_all(block).ok()?;
    writer.finish().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) const ALL: [Compressor; 4] =
        [Compressor::Gzip, Compressor::Xz, Compressor::Lz4, Compressor::Zstd];

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n * n / 7 % 31) as u8).collect()
    }

    #[test]
    fn blocks_come_back_and_are_never_longer_than_expected() {
        for compressor in ALL {
            let codec = Codec::new(compressor, &[], 131_072).unwrap();
            for len in [1000, 8192, 131_072] {
                let packed = codec.compress(&text(len)).unwrap();
                assert!(packed.len() < len, "{compressor} {len}");
                assert_eq!(codec.decompress(&packed, len).unwrap(), text(len), "{compressor} {len}");
                assert_eq!(codec.decompress(&packed, 131_072).unwrap(), text(len), "{compressor} {len}");
                assert_eq!(codec.decompress(&packed, len - 1), None, "{compressor} {len}");
            }
        }
    }

    #[test]
    fn what_does_not_shrink_is_stored_as_it_is() {
        let mut state = 1u32;
        let noise: Vec<u8> = (0..8192)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for compressor in ALL {
            let codec = Codec::new(compressor, &[], 131_072).unwrap();
            for block in [&noise[..], b"x"] {
                assert_eq!(codec.compress(block), None, "{compressor}");
            }
        }
    }

    #[test]
    fn options_of_the_image_are_taken_where_they_make_sense() {
        let method = |compressor, options: &[u8]| Codec::new(compressor, options, 65_536).unwrap().method;
        assert_eq!(method(Compressor::Gzip, &[1, 0, 0, 0, 15, 0, 1, 0]), Method::Gzip { level: 1 });
        assert_eq!(method(Compressor::Gzip, &[77, 0, 0, 0]), Method::Gzip { level: 9 });
        assert_eq!(method(Compressor::Zstd, &[3, 0, 0, 0]), Method::Zstd { level: 3 });
        assert_eq!(method(Compressor::Zstd, &[]), Method::Zstd { level: 15 });
        assert_eq!(method(Compressor::Xz, &[0, 0x80, 0, 0, 0, 0, 0, 0]), Method::Xz { dictionary: 32_768 });
        assert_eq!(method(Compressor::Xz, &[0, 0, 0, 4]), Method::Xz { dictionary: 65_536 });
        assert_eq!(Codec::new(Compressor::Lzo, &[], 65_536), None);
        assert_eq!(Codec::new(Compressor::Lzma, &[], 65_536), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), most in 0usize..9000) {
            for compressor in ALL {
                let block = Codec::new(compressor, &bytes, 4096).unwrap().decompress(&bytes, most);
                prop_assert!(block.is_none_or(|block| block.len() <= most));
            }
        }

        /// Nearly right bytes reach further into a decoder than random ones.
        #[test]
        fn damaged_blocks_do_not_make_it_panic(at in 0usize..400, byte: u8, cut in 0usize..400) {
            for compressor in ALL {
                let codec = Codec::new(compressor, &[], 131_072).unwrap();
                let mut packed = codec.compress(&text(8192)).unwrap();
                let place = at % packed.len();
                packed[place] = byte;
                if cut < packed.len() {
                    packed.truncate(cut);
                }
                let block = codec.decompress(&packed, 8192);
                prop_assert!(block.is_none_or(|block| block.len() <= 8192));
            }
        }
    }
}
