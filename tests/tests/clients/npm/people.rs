//! Who may do what, and who likes what: `access`, `owner`, `star`, `profile`, `org`, `team`.

use packhouse_testkit::clients::{NpmPackage, NpmProject};
use serde_json::json;

use super::{EVERYTHING, Stage, answer, package, run, told_by_each_npm};

told_by_each_npm! {
    access_is_shown_and_a_package_is_made_public_for_good,
    access_lists_packages_and_collaborators,
    owners_are_added_and_removed,
    a_profile_is_shown_and_not_changed,
    an_organization_and_its_teams_are_shown_and_changed,
}

const NAME: &str = "@acme/left-pad";

/// ann at home on the server, with `@acme/left-pad` published and `bob` a member of `acme`.
fn at_work(stage: &Stage) -> (NpmProject, NpmProject) {
    stage.publish(&package(NAME, "1.0.0"));
    let bob = stage.user("bob", EVERYTHING);
    stage.server.admin(&["add-member", "acme", "bob"]);
    (stage.at_home(Some(&stage.token)), stage.at_home(Some(&bob)))
}

fn access_is_shown_and_a_package_is_made_public_for_good(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let (ann, bob) = at_work(&stage);
    let status = ["access", "get", "status", NAME];
    assert_eq!(run(&ann, &status), format!("{NAME}: private"));
    assert_eq!(stage.refusal(&bob.run(&status))[0], "code E404");

    let public = ["access", "set", "status=public", NAME];
    assert_eq!(run(&ann, &public), format!("{NAME}: public"));
    assert_eq!(run(&bob, &status), format!("{NAME}: public"));
    let private = ann.run(&["access", "set", "status=private", NAME]);
    assert_eq!(
        stage.refusal(&private),
        [
            "code E422",
            "422 Unprocessable Entity - POST REGISTRY/-/package/@acme%2fleft-pad/access - \
             A public package stays public: others may depend on it",
        ]
    );
    run(&ann, &["access", "set", "mfa=none", NAME]);
    let factor = ann.run(&["access", "set", "mfa=publish", NAME]);
    assert_eq!(stage.refusal(&factor)[0], "code E422");
}

fn access_lists_packages_and_collaborators(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let (ann, bob) = at_work(&stage);
    let list = ["access", "list", "packages"];
    assert_eq!(run(&ann, &list), format!("{NAME}: read-write"));
    assert_eq!(run(&bob, &list), "");
    let of_acme = ["access", "list", "packages", "acme"];
    assert_eq!(run(&ann, &of_acme), format!("{NAME}: read-write"));

    let collaborators = ["access", "list", "collaborators", NAME];
    assert_eq!(run(&ann, &collaborators), "ann: read-write");
    stage
        .server
        .admin(&["grant", "acme/npm/@acme/left-pad", "bob", "--role", "read"]);
    assert_eq!(run(&bob, &list), format!("{NAME}: read-only"));
    assert_eq!(run(&ann, &collaborators), "ann: read-write\nbob: read-only");
    // who may do what is told to those who work on the package
    assert_eq!(stage.refusal(&bob.run(&collaborators))[0], "code E403");
}

fn owners_are_added_and_removed(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let (ann, bob) = at_work(&stage);
    let list = ["owner", "ls", NAME];
    assert_eq!(run(&ann, &list), "ann <>");
    let added = run(&ann, &["owner", "add", "bob", NAME]);
    assert_eq!(added, format!("+ bob ({NAME})"));
    assert_eq!(run(&bob, &list), "ann <>\nbob <>");
    let removed = run(&bob, &["owner", "rm", "ann", NAME]);
    assert_eq!(removed, format!("- ann ({NAME})"));
    // ann owns the organization, and is still in charge
    run(&ann, &["owner", "add", "ann", NAME]);
    run(&ann, &["owner", "rm", "bob", NAME]);
    let view = bob.run(&["view", NAME]);
    assert_eq!(stage.refusal(&view)[0], "code E404");

    let nobody = ann.run(&["owner", "add", "nobody", NAME]);
    assert_eq!(
        stage.refusal(&nobody),
        [
            "owner mutate Error getting user data for nobody",
            "code E404"
        ]
    );
    stage.user("sam", EVERYTHING);
    let outsider = ann.run(&["owner", "add", "sam", NAME]);
    assert_eq!(
        stage.refusal(&outsider)[0],
        "code EOWNERMUTATE",
        "a private package is for the organization's own people"
    );
}

// npm 12 has no such command
#[test]
fn packages_are_starred_and_listed() {
    let Some(stage) = Stage::set() else { return };
    let (ann, bob) = at_work(&stage);
    run(&ann, &["star", NAME]);
    run(&ann, &["star", NAME]);
    assert_eq!(run(&ann, &["stars"]), NAME);
    let users = answer(ann.run(&["view", NAME, "users", "--json"]));
    assert_eq!(users, json!({ "ann": true }));
    // what ann likes is no way to learn of what bob may not see
    assert_eq!(run(&bob, &["stars", "ann"]), "");
    run(&ann, &["unstar", NAME]);
    assert_eq!(run(&ann, &["stars"]), "");
}

fn a_profile_is_shown_and_not_changed(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage
        .server
        .admin(&["create-user", "eve", "--email", "eve@example.com"]);
    let token = stage.server.token("eve", "read:packages");
    let eve = stage.at_home(Some(&token));
    let profile = answer(eve.run(&["profile", "get", "--json"]));
    assert_eq!(profile["name"], "eve");
    assert_eq!(profile["email"], "eve@example.com");
    let refused = eve.run(&["profile", "set", "fullname", "Eve"]);
    assert_eq!(stage.refusal(&refused)[0], "code E403");
}

fn an_organization_and_its_teams_are_shown_and_changed(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let (ann, bob) = at_work(&stage);
    let members = json!({ "ann": "owner", "bob": "developer" });
    assert_eq!(answer(bob.run(&["org", "ls", "acme", "--json"])), members);
    let outsider = stage.user("sam", EVERYTHING);
    let outsider = stage.at_home(Some(&outsider));
    assert_eq!(
        stage.refusal(&outsider.run(&["org", "ls", "acme"]))[0],
        "code E404"
    );

    // changing it takes a token that is for organizations
    let create = ["team", "create", "acme:web"];
    assert_eq!(stage.refusal(&ann.run(&create))[0], "code E403");
    let scopes = format!("{EVERYTHING},write:org");
    let token = stage.server.token("ann", &scopes);
    let owner = stage.at_home(Some(&token));
    assert_eq!(run(&owner, &create), "+@acme:web");
    assert_eq!(stage.refusal(&owner.run(&create))[0], "code E409");
    run(&owner, &["team", "add", "acme:web", "bob"]);
    let teams = answer(bob.run(&["team", "ls", "acme", "--json"]));
    assert_eq!(teams, json!(["acme:web"]));
    let people = answer(bob.run(&["team", "ls", "acme:web", "--json"]));
    assert_eq!(people, json!(["bob"]));

    run(&owner, &["access", "grant", "read-write", "acme:web", NAME]);
    let list = ["access", "list", "packages", "acme:web"];
    assert_eq!(run(&bob, &list), format!("{NAME}: read-write"));
    run(&bob, &["view", NAME]);
    run(&owner, &["access", "revoke", "acme:web", NAME]);
    assert_eq!(stage.refusal(&bob.run(&["view", NAME]))[0], "code E404");

    run(&owner, &["team", "rm", "acme:web", "bob"]);
    run(&owner, &["team", "destroy", "acme:web"]);
    let set = run(&owner, &["org", "set", "acme", "sam", "developer"]);
    assert!(set.contains("Added sam as developer to acme."), "{set}");
    run(&owner, &["org", "rm", "acme", "sam"]);
    let alone = owner.run(&["org", "set", "acme", "ann", "developer"]);
    assert_eq!(stage.refusal(&alone)[0], "code E400");
}
