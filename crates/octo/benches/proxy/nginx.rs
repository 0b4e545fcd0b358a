//! nginx, with as many workers as the machine has processors and connections to the service that are kept.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

pub(crate) struct Nginx {
    process: Child,
    folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) version: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.process.id() as i32);
        let _ = nix::sys::signal::kill(id, nix::sys::signal::SIGTERM);
        drop(self.process.wait());
    }
}

pub(crate) fn start(service: SocketAddr) -> Nginx {
    let cached = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/nginx/usr/sbin/nginx");
    let program = std::env::var_os("NGINX_PROGRAM").map_or(cached, Into::into);
    let said =
        Command::new(&program).arg("-v").output().expect("nginx; toolchain/install.sh bench nginx gets it");
    let version = String::from_utf8_lossy(&said.stderr).trim().rsplit('/').next().unwrap().to_owned();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {place}/{name};\n"))
        .collect();
    let settings = format!(
        "daemon off; worker_processes auto; pid {place}/pid; error_log {place}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 100000000; {temporary}\
         upstream service {{ server {service}; keepalive 32; keepalive_requests 100000000; }}\n\
         server {{ listen {address}; location / {{ proxy_pass http://service; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_set_header X-Forwarded-For $remote_addr; }} }} }}\n"
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, settings).unwrap();
    // Its workers become `nobody`, who has to come through.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let process = Command::new(&program)
        .args(["-e".as_ref(), folder.path().join("error.log").as_os_str()])
        .args(["-p".as_ref(), folder.path().as_os_str(), "-c".as_ref(), file.as_os_str()])
        .spawn()
        .unwrap();
    let nginx = Nginx { process, folder, address, version };
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            return nginx;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!(
        "nginx does not listen; {}",
        std::fs::read_to_string(nginx.folder.path().join("error.log")).unwrap()
    );
}
