//! npm commands that ask their user something.

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use packhouse_testkit::clients::NpmProject;
use packhouse_testkit::process::Output;

const DEADLINE: Duration = Duration::from_secs(60);

/// Runs npm in a project and types each answer when its prompt is there.
pub(super) fn hold(project: &NpmProject, arguments: &[&str], answers: &[(&str, &str)]) -> Output {
    let mut npm = project
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = npm.stdin.take().unwrap();
    let mut stdout = Screen::of(npm.stdout.take().unwrap());
    let mut stderr = Screen::of(npm.stderr.take().unwrap());
    for (prompt, answer) in answers {
        if !stdout.shows(prompt) {
            // Already the news; a process that is gone needs no killing.
            let _ = npm.kill();
            let _ = npm.wait();
            panic!("npm does not ask {prompt:?}: {}", stdout.text);
        }
        keyboard
            .write_all(format!("{answer}\n").as_bytes())
            .unwrap();
    }
    let ended = stdout.ends() && stderr.ends();
    if !ended {
        let _ = npm.kill();
    }
    drop(keyboard);
    let output = Output {
        status: npm.wait().unwrap(),
        stdout: stdout.text,
        stderr: stderr.text,
    };
    assert!(ended, "npm does not end: {output}");
    output
}

/// What a program printed so far, however it cuts it into pieces.
struct Screen {
    pieces: mpsc::Receiver<Vec<u8>>,
    text: String,
    deadline: Instant,
}

impl Screen {
    fn of<R: Read + Send + 'static>(mut stream: R) -> Self {
        let (sender, pieces) = mpsc::sync_channel(16);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            pieces,
            text: String::new(),
            deadline: Instant::now() + DEADLINE,
        }
    }

    /// Waits until `text` is there.
    fn shows(&mut self, text: &str) -> bool {
        while !self.text.contains(text) {
            if self.next().is_err() {
                return false;
            }
        }
        true
    }

    /// Waits until nothing more can come.
    fn ends(&mut self) -> bool {
        loop {
            if let Err(reason) = self.next() {
                return reason == mpsc::RecvTimeoutError::Disconnected;
            }
        }
    }

    fn next(&mut self) -> Result<(), mpsc::RecvTimeoutError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let piece = self.pieces.recv_timeout(left)?;
        self.text.push_str(&String::from_utf8_lossy(&piece));
        Ok(())
    }
}
