//! A web server on the host, set up as the printer's front ends set theirs up, with this overlay's drop-in.

use crate::support::bed::{environment, free_port};
use crate::support::wait;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(40);

/// Debian's nginx. It is ended when it is dropped.
pub(super) struct Nginx {
    process: Child,
    pub(super) port: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Before a Moonraker and a service.
    pub(super) fn start(moonraker: u16, service: SocketAddr) -> Self {
        let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("overlay");
        let drop_in =
            std::fs::read_to_string(overlay.join("usr/local/share/octobridge/nginx/octobridge.conf"))
                .unwrap();
        let web = overlay.join("usr/local/share/octobridge/web");
        let drop_in = drop_in
            .replace("http://127.0.0.1:8000/", &format!("http://{service}/"))
            .replace("/usr/local/share/octobridge/web", web.to_str().unwrap());
        let folder = tempfile::tempdir().unwrap();
        // Its workers are another user where this is root.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let (port, place) = (free_port(), folder.path().display());
        let conf = format!(
            "daemon off;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
             types {{ text/html html; text/css css; text/javascript js; }}\naccess_log off;\n\
             client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/f;\n\
             uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
             upstream apiserver {{ server 127.0.0.1:{moonraker}; }}\n\
             server {{ listen 127.0.0.1:{port};\nclient_max_body_size 0;\n{drop_in}\n}}\n}}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, conf).unwrap();
        let process = Command::new(environment("NGINX_PROGRAM", ".cache/nginx/usr/sbin/nginx"))
            .arg("-c")
            .arg(&path)
            .args(["-p", folder.path().to_str().unwrap(), "-e", "stderr"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait::until("nginx", SOON, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { process, port, _folder: folder }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.process.wait();
    }
}
