//! A mount namespace for what would leave folders of its own all over the machine.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::process;

/// Where engines and what is made of their libraries write, whatever they are told.
const PLACES: [&str; 3] = ["run", "var/lib", "dev/shm"];

/// `sh -c SCRIPT FOLDER PROGRAM ARGUMENT…`.
const SCRIPT: &str = r#"
for place in run var/lib dev/shm; do
    mount --bind "$0/$place" "/$place" || exit 125
done
exec "$@"
"#;

const PROBE_DEADLINE: Duration = Duration::from_secs(10);

/// Whether this process may do that: it is root, and not in a container that says no.
pub(super) fn is_possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    *POSSIBLE.get_or_init(|| {
        let mut probe = Command::new("unshare");
        probe.args(["--mount", "mount", "-t", "tmpfs", "none", "/run"]);
        process::run(&mut probe, PROBE_DEADLINE).is_ok_and(|output| output.success())
    })
}

/// Makes the folders of a new [`command`].
///
/// # Errors
/// When they cannot be made.
pub(super) fn prepare(folder: &Path) -> std::io::Result<()> {
    PLACES
        .iter()
        .try_for_each(|place| std::fs::create_dir_all(folder.join(place)))
}

/// A command that runs the program of its next argument and sees these folders of `folder` in the
/// machine's places; others do not.
pub(super) fn command(folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SCRIPT]).arg(folder);
    command
}
