//! The static file server to be measured beside.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::http::{self, Request};
use packhouse_testkit::{ports, process};

/// A running nginx; dropping it stops it.
pub(super) struct Nginx {
    child: Child,
    base: String,
}

impl Nginx {
    /// Serves the files of a folder, with as many workers as the machine has cores.
    pub(super) fn start(folder: &Path, files: &Path) -> Result<Self> {
        let port = ports::free();
        let config = folder.join("nginx.conf");
        let shown = folder.display();
        // nobody must reach the files, which lie in a folder of whoever runs this
        let text = format!(
            "user root;\nworker_processes auto;\ndaemon off;\npid {shown}/nginx.pid;\n\
             error_log {shown}/nginx.log;\nevents {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  tcp_nodelay on;\n\
             \x20 keepalive_requests 100000000;\n  open_file_cache max=100;\n\
             \x20 client_body_temp_path {shown}/t1;\n  proxy_temp_path {shown}/t2;\n\
             \x20 fastcgi_temp_path {shown}/t3;\n  uwsgi_temp_path {shown}/t4;\n\
             \x20 scgi_temp_path {shown}/t5;\n\
             \x20 server {{ listen 127.0.0.1:{port}; root {}; }}\n}}\n",
            files.display()
        );
        fs::write(&config, text)?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run nginx")?;
        let nginx = Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while http::send(&nginx.base, &Request::get("/0")).is_err() {
            if Instant::now() > deadline {
                bail!("nginx does not answer; see {shown}/nginx.log");
            }
            std::thread::yield_now();
        }
        Ok(nginx)
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let told = process::signal(self.child.id(), "TERM");
        if let Err(error) = told.and_then(|()| self.child.wait()) {
            eprintln!("nginx did not end: {error}");
        }
    }
}
