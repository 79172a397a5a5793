//! helm: charts, which are artifacts with the chart's name and version for a tag.

use std::ops::Deref;

use packhouse_testkit::clients::containers::HELM;
use packhouse_testkit::process::Output;
use serde_json::json;

use crate::skopeo::Skopeo;
use crate::stage::{
    Cli, Stage, Tenancy, Traffic, assert_refused, assert_said, assert_succeeded, at_both_registries,
};

at_both_registries! {
    a_login_is_checked,
    a_chart_goes_there_and_comes_back,
    a_chart_is_found_by_a_range_of_versions,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
}

/// helm on a stage. Its chart is always `app`.
struct Helm<'a>(Cli<'a>);

impl<'a> Deref for Helm<'a> {
    type Target = Cli<'a>;

    fn deref(&self) -> &Cli<'a> {
        &self.0
    }
}

impl<'a> Helm<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    fn on(stage: &'a Stage) -> Option<Self> {
        Cli::on(stage, &HELM).map(Self)
    }

    fn try_log_in(&self, token: &str) -> Output {
        self.0
            .try_log_in(&["registry", "login", "--plain-http"], token)
    }

    #[track_caller]
    fn log_in(&self, token: &str) {
        assert_said(&self.try_log_in(token).expect_success(), "Login Succeeded");
    }

    #[track_caller]
    fn log_out(&self) {
        let logout = ["registry", "logout", self.stage.host()];
        assert_succeeded(&self.run(&logout));
    }

    /// Makes `app-VERSION.tgz`.
    #[track_caller]
    fn package(&self, version: &str) {
        let kit = &self.stage.kit;
        let chart = format!("apiVersion: v2\nname: app\nversion: {version}\n");
        kit.write("work/app/Chart.yaml", chart);
        kit.write("work/app/values.yaml", "name: world\n");
        kit.write(
            "work/app/templates/greeting.yaml",
            "kind: ConfigMap\ndata:\n  hello: {{ .Values.name }}\n",
        );
        assert_succeeded(&self.run(&["package", "app"]));
    }

    /// Where charts of this owner, or this repository, lie.
    fn parent(&self) -> String {
        let chart = self.stage.reference("app");
        format!("oci://{}", chart.trim_end_matches("/app"))
    }

    fn push(&self, version: &str) -> Output {
        let chart = format!("app-{version}.tgz");
        self.run(&["push", "--plain-http", &chart, &self.parent()])
    }

    /// Packages and pushes as alice.
    #[track_caller]
    fn publish(&self, version: &str) {
        self.log_in(&self.stage.token);
        self.package(version);
        let pushed = self.push(version).expect_success();
        assert_said(
            &pushed,
            &format!("Pushed: {}:", self.stage.reference("app")),
        );
    }

    fn pull(&self, version: &str) -> Output {
        let chart = format!("{}/app", self.parent());
        let pull = ["pull", "--plain-http", "-d", "back", "--version", version];
        self.stage.kit.write("work/back/.keep", "");
        self.run(&[&pull[..], &[&chart]].concat())
    }

    #[track_caller]
    fn assert_pulled(&self, version: &str) {
        let chart = format!("app-{version}.tgz");
        let kit = &self.stage.kit;
        let back = kit.read(&format!("work/back/{chart}"));
        assert!(back == kit.read(&format!("work/{chart}")), "{chart}");
    }
}

fn a_login_is_checked(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(helm) = Helm::on(&stage) else {
        return;
    };
    let words = "unauthorized: the access token is wrong, expired or revoked";
    assert_refused(&helm.try_log_in("wrong"), words);
    helm.log_in(&stage.token);
}

fn a_chart_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let (Some(helm), Some(skopeo)) = (Helm::on(&stage), Skopeo::on(&stage)) else {
        return;
    };
    let first = stage.traffic_of(|| helm.publish("1.0.0+b1"));
    let expected = Traffic {
        uploaded: 2,
        mounted: 0,
    };
    assert_eq!(first, expected);
    let again = stage.traffic_of(|| drop(helm.push("1.0.0+b1").expect_success()));
    assert_eq!(again, Traffic::NONE);

    assert_succeeded(&helm.pull("1.0.0+b1"));
    helm.assert_pulled("1.0.0+b1");
    // no tag holds a plus
    assert_eq!(skopeo.tags("app"), json!(["1.0.0_b1"]));
    skopeo.delete("app:1.0.0_b1");
    assert_refused(&helm.pull("1.0.0+b1"), "not found");
}

fn a_chart_is_found_by_a_range_of_versions(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(helm) = Helm::on(&stage) else {
        return;
    };
    for version in ["1.0.0", "1.2.0", "2.0.0"] {
        helm.publish(version);
    }
    assert_succeeded(&helm.pull("^1"));
    helm.assert_pulled("1.2.0");

    let chart = format!("{}/app", helm.parent());
    let shown = helm.run(&["show", "chart", "--plain-http", &chart]);
    assert_said(&shown.expect_success(), "version: 2.0.0");
    let template = ["template", "greeting", "--plain-http", "--set", "name=you"];
    let rendered = helm.run(&[&template[..], &[&chart]].concat());
    assert_said(&rendered.expect_success(), "hello: you");
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(helm) = Helm::on(&stage) else {
        return;
    };
    helm.publish("1.0.0");
    helm.log_in(&stage.stranger());
    let words = format!("{}:1.0.0: not found", stage.reference("app"));
    assert_refused(&helm.pull("1.0.0"), &words);
    let words = "denied: permission_denied: write_package";
    assert_refused(&helm.push("1.0.0"), words);
    helm.log_out();
    assert_refused(&helm.pull("1.0.0"), "unauthorized: authentication required");
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(helm) = Helm::on(&stage) else {
        return;
    };
    helm.publish("1.0.0");
    stage.show("app");
    helm.log_out();
    assert_succeeded(&helm.pull("1.0.0"));
    helm.assert_pulled("1.0.0");
    helm.package("2.0.0");
    assert_refused(&helm.push("2.0.0"), "unauthorized: authentication required");
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(helm) = Helm::on(&stage) else {
        return;
    };
    helm.publish("1.0.0");
    helm.log_in(&stage.reader());
    assert_succeeded(&helm.pull("1.0.0"));
    helm.assert_pulled("1.0.0");
    helm.package("2.0.0");
    let words = "denied: permission_denied: The token provided does not match expected scopes.";
    assert_refused(&helm.push("2.0.0"), words);
}
