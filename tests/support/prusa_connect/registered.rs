//! A printer that is registered from the start.

use super::Connect;

/// Its serial number.
pub(crate) const SERIAL: &str = "KLP-U1-00A1B2C3";
/// Its token, which its program finds in `octoapp/prusa_connect_token`.
pub(crate) const TOKEN: &str = "Pr1nTokSECRET0000000";

impl Connect {
    /// Registers it. Gives the section that leads here from a machine that knows this one as `host`.
    pub(crate) fn register(&self, host: &str) -> String {
        self.add_printer(&octobridge::bridge::prusa_connect::rehearsal::fingerprint(SERIAL), TOKEN);
        let port = self.url.rsplit(':').next().unwrap_or_default();
        format!(
            "\n[prusa_connect]\nenabled: true\nurl: http://{host}:{port}\nserial: {SERIAL}\ncameras: off\n"
        )
    }
}
