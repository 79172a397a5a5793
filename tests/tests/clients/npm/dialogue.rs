//! npm commands that ask their user something.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use packhouse_testkit::clients::NpmProject;
use packhouse_testkit::process::Output;

const DEADLINE: Duration = Duration::from_secs(60);

/// Runs npm in a project and types each answer when its prompt is there.
pub(super) fn hold(project: &NpmProject, arguments: &[&str], answers: &[(&str, &str)]) -> Output {
    let mut npm = Npm::start(project, arguments);
    for (prompt, answer) in answers {
        npm.waits_for(prompt);
        npm.keyboard
            .write_all(format!("{answer}\n").as_bytes())
            .unwrap();
    }
    npm.end()
}

/// Runs npm in a project and does something elsewhere when a text is there, which gets all that
/// npm printed so far.
pub(super) fn watch(
    project: &NpmProject,
    arguments: &[&str],
    text: &str,
    act: impl FnOnce(&str),
) -> Output {
    let mut npm = Npm::start(project, arguments);
    npm.waits_for(text);
    act(&npm.stdout.text);
    npm.end()
}

/// An npm that runs.
struct Npm {
    process: Child,
    keyboard: ChildStdin,
    stdout: Screen,
    stderr: Screen,
}

impl Npm {
    fn start(project: &NpmProject, arguments: &[&str]) -> Self {
        let mut process = project
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            keyboard: process.stdin.take().unwrap(),
            stdout: Screen::of(process.stdout.take().unwrap()),
            stderr: Screen::of(process.stderr.take().unwrap()),
            process,
        }
    }

    fn waits_for(&mut self, text: &str) {
        if !self.stdout.shows(text) {
            self.kill();
            panic!("npm does not say {text:?}: {}", self.stdout.text);
        }
    }

    fn kill(&mut self) {
        // Already the news; a process that is gone needs no killing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn end(mut self) -> Output {
        let ended = self.stdout.ends() && self.stderr.ends();
        if !ended {
            self.kill();
        }
        drop(self.keyboard);
        let output = Output {
            status: self.process.wait().unwrap(),
            stdout: self.stdout.text,
            stderr: self.stderr.text,
        };
        assert!(ended, "npm does not end: {output}");
        output
    }
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
