//! Device numbers.

/// Major and minor number, as the kernel packs them into 32 bits.
pub(crate) fn device(number: u32) -> (u64, u64) {
    let minor = (number & 0xff) | ((number >> 12) & 0x000f_ff00);
    (u64::from((number >> 8) & 0xfff), u64::from(minor))
}

/// Where it can hold them.
pub(super) fn encoded((major, minor): (u64, u64)) -> Option<u32> {
    let number = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
    u32::try_from(number).ok().filter(|number| device(*number) == (major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_packed_as_the_kernel_does() {
        for (number, numbers) in [(0x501, (5, 1)), (0xb300, (179, 0)), (0x0011_2c70, (300, 368))] {
            assert_eq!(device(number), numbers);
            assert_eq!(encoded(numbers), Some(number));
        }
        assert_eq!(encoded((4096, 0)), None);
        assert_eq!(encoded((0, 1 << 20)), None);
    }
}
