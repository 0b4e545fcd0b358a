//! QR codes as rows of modules. How they are drawn is up to who shows them.

use qrcodegen::{QrCode, QrCodeEcc, QrSegment};

/// The modules of a text's code, row by row, dark ones as true; none where it is too long for a code.
pub(crate) fn modules(text: &str) -> Option<Vec<Vec<bool>>> {
    // As bytes: there is no shorter way for links, and the program is smaller without the others.
    let bytes = [QrSegment::make_bytes(text.as_bytes())];
    let code = QrCode::encode_segments(&bytes, QrCodeEcc::Low).ok()?;
    let size = 0..code.size();
    Some(size.clone().map(|y| size.clone().map(|x| code.get_module(x, y)).collect()).collect())
}
