//! A server with sample data, for trying things out.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::clients::{Client, NpmProject};
use serde_json::json;

use crate::command::{self, cargo};
use crate::setup;
use crate::workspace::Workspace;

/// The sample: who may publish, where, and what is there.
const USER: &str = "ann";
const ORGANIZATION: &str = "acme";
const SCOPES: &str = "read:packages,write:packages,delete:packages";

/// Serves from a data folder in the target folder until it is interrupted. The first run makes
/// a user, an organization and a package.
pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    setup::prepare(workspace)?;
    command::run(&mut cargo(&["build", "--workspace", "--bin", "packhouse"]))?;
    let server = workspace.server();
    let data = workspace.target.join("dev-data");
    let token_file = data.join("sample-token");
    let is_first_run = !token_file.exists();
    if is_first_run {
        let token = create_sample_accounts(&server, &data)?;
        std::fs::write(&token_file, &token)
            .with_context(|| format!("cannot write {}", token_file.display()))?;
    }
    let token = std::fs::read_to_string(&token_file)
        .with_context(|| format!("cannot read {}", token_file.display()))?;

    let mut serving = Command::new(&server)
        .arg("serve")
        .arg("--data-dir")
        .arg(&data)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", server.display()))?;
    let stdout = serving.stdout.take().context("the server has no output")?;
    let mut announced = false;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read the server's output")?;
        println!("{line}");
        if let Some(base) = line.strip_prefix("listening on ").filter(|_| !announced) {
            announced = true;
            let registry = format!("{}/_registry/npm/", base.trim_end_matches('/'));
            if is_first_run {
                publish_sample_package(&registry, &token);
            }
            explain(&registry, &token);
        }
    }
    let status = serving.wait().context("the server's exit is lost")?;
    if !status.success() {
        bail!("the server ended: {status}");
    }
    Ok(())
}

/// Makes the accounts and returns a token of the user.
fn create_sample_accounts(server: &Path, data: &Path) -> Result<String> {
    let admin = |arguments: &[&str]| {
        let output = Command::new(server)
            .arg("admin")
            .args(arguments)
            .arg("--data-dir")
            .arg(data)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", server.display()))?;
        if !output.status.success() {
            bail!("packhouse admin {}: {}", arguments.join(" "), output.status);
        }
        String::from_utf8(output.stdout).context("not text")
    };
    admin(&["create-user", USER])?;
    admin(&["create-org", ORGANIZATION, "--owner", USER])?;
    let token = admin(&["create-token", USER, "--scopes", SCOPES])?;
    Ok(token.trim().to_owned())
}

fn publish_sample_package(registry: &str, token: &str) {
    let Some(npm) = Client::npm11() else { return };
    let manifest = json!({
        "name": format!("@{ORGANIZATION}/hello"),
        "version": "1.0.0",
        "description": "A sample package",
        "license": "MIT",
    });
    let project = NpmProject::new(&npm, &manifest);
    project.write("index.js", "module.exports = () => 'hello';\n");
    project.write("README.md", "# hello\n\nSays hello.\n");
    let scope = format!("@{ORGANIZATION}");
    project.use_registry(&[&scope], registry, Some(token));
    let output = project.run(&["publish"]);
    if !output.success() {
        eprintln!("the sample package was not published: {output}");
    }
}

fn explain(registry: &str, token: &str) {
    let address = registry.split_once(':').map_or(registry, |(_, rest)| rest);
    println!(
        "\nTo publish and install as {USER}, put this into a project's .npmrc:\n\n\
         @{ORGANIZATION}:registry={registry}\n\
         {address}:_authToken={token}\n"
    );
}
