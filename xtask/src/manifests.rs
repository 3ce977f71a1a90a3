//! What is said twice in `deploy/` is said alike. Only tests: nothing of it is written by a task.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::workspace::root;

const DAEMON_SET: &str = "deploy/kubernetes/base/daemonset.yaml";
const CHART: &str = "deploy/helm/reset-observer";

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules() -> Vec<Value> {
    let groups = yaml("deploy/prometheus/rules.yaml");
    let groups = groups["groups"].as_array().expect("groups").clone();
    groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
}

#[test]
fn the_operators_rules_are_those_of_the_file() {
    let resource = yaml("deploy/kubernetes/monitoring/prometheusrule.yaml");
    assert_eq!(resource["spec"]["groups"], yaml("deploy/prometheus/rules.yaml")["groups"]);
    let of_chart = fs::canonicalize(root().join(CHART).join("files/rules.yaml")).expect("the chart's rules");
    assert_eq!(of_chart, fs::canonicalize(root().join("deploy/prometheus/rules.yaml")).expect("the rules"));
}

#[test]
fn every_cause_but_the_harmless_one_has_an_alert_and_every_alert_a_page_that_is_there() {
    let rules = rules();
    for rule in &rules {
        let link = rule["annotations"]["runbook_url"].as_str().expect("a link");
        let page = link.split_once("/docs/").expect("a page of docs").1;
        let (file, section) = page.split_once('#').map_or((page, None), |(file, section)| (file, Some(section)));
        let text = text(&format!("docs/{file}"));
        let titles = text.lines().filter_map(|line| line.strip_prefix("## "));
        let anchors: Vec<String> = titles.map(|title| title.to_lowercase().replace(' ', "-")).collect();
        assert!(section.is_none_or(|section| anchors.iter().any(|anchor| anchor == section)), "{link}: {anchors:?}");
    }
    let pages = fs::read_dir(root().join("docs/causes")).expect("docs/causes");
    for page in pages {
        let page = page.expect("a page").file_name().to_string_lossy().into_owned();
        if ["README.md", "confidence.md", "evidence.md", "idle_close.md"].contains(&page.as_str()) {
            continue;
        }
        let has_alert =
            |rule: &Value| rule["annotations"]["runbook_url"].as_str().is_some_and(|url| url.ends_with(&page));
        assert!(rules.iter().any(has_alert), "no alert leads to {page}");
    }
}

/// Helm, kustomize and sed replace it; one that is spelt otherwise would be left behind.
#[test]
fn every_runbook_link_begins_with_the_one_place_that_is_to_be_replaced() {
    let base = "https://reset-observer.example/docs";
    for rule in rules() {
        let link = rule["annotations"]["runbook_url"].as_str().expect("a link");
        assert!(link.starts_with(&format!("{base}/")), "{link}");
    }
    assert_eq!(yaml(&format!("{CHART}/values.yaml"))["prometheusRule"]["runbookBase"], base);
    let template = text(&format!("{CHART}/templates/prometheusrule.yaml"));
    assert!(template.contains(&format!("replace {base:?} .Values.prometheusRule.runbookBase")));
    let component = yaml("deploy/kubernetes/runbooks/kustomization.yaml");
    let target = &component["replacements"][0]["targets"][0];
    assert_eq!(target["fieldPaths"][0], "spec.groups.*.rules.*.annotations.runbook_url");
    let index = target["options"]["index"].as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
    let replaced = base.split('/').nth(index);
    assert_eq!(yaml("deploy/kubernetes/runbooks/place.yaml")["data"]["place"].as_str(), replaced);
}

/// What comes out of the chart is compared by hand with `kubectl kustomize`, for which Helm is needed; here, that neither
/// file was changed without the other.
#[test]
fn the_chart_has_no_line_that_the_manifest_has_not_and_the_same_rights() {
    let (manifest, chart) = (text(DAEMON_SET), text(&format!("{CHART}/templates/daemonset.yaml")));
    let mut of_manifest = manifest.lines().map(str::trim);
    // The one thing that only the chart has.
    let is_fixed = |line: &&str| !line.contains("{{") && *line != "imagePullSecrets:";
    for line in chart.lines().map(str::trim).filter(is_fixed) {
        assert!(of_manifest.any(|one| one == line), "{line:?} is not in {DAEMON_SET}, or not in this place");
    }
    let rights = |text: &str| {
        let begin = text.find("\n          securityContext:").expect("rights");
        text[begin..begin + text[begin..].find("\n          resources:").expect("resources")].to_owned()
    };
    assert_eq!(rights(&manifest), rights(&chart));
    let values = yaml(&format!("{CHART}/values.yaml"));
    let container = yaml(DAEMON_SET)["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(values["resources"], container["resources"]);
}

#[test]
fn versions_are_those_of_the_workspace() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = yaml(&format!("{CHART}/Chart.yaml"));
    assert_eq!((chart["version"].as_str(), chart["appVersion"].as_str()), (Some(version), Some(version)));
    let image = format!("image: reset-observer:{version}");
    assert!(text(DAEMON_SET).contains(&image), "{DAEMON_SET} has another {image}");
    assert!(text("deploy/kubernetes/base/kustomization.yaml").contains(&format!("newTag: {version}")));
}

#[test]
fn the_package_copies_files_that_are_there() {
    for (from, _) in crate::task::deb::FILES {
        assert!(Path::new(&root().join(from)).exists(), "{from}");
    }
}

#[test]
fn the_pages_that_the_readme_and_the_alerts_lead_to_are_in_the_package_where_they_are_here() {
    let readme = text("README.md");
    let of_readme = readme.split("](docs/").skip(1).filter_map(|link| link.split([')', '#']).next());
    let rules = rules();
    let of_alerts = rules.iter().filter_map(|rule| rule["annotations"]["runbook_url"].as_str()?.split_once("/docs/"));
    let of_alerts = of_alerts.filter_map(|(_, page)| page.split('#').next());
    for page in of_readme.chain(of_alerts) {
        let holds = |(from, to): &(&str, &str)| {
            let same = to.strip_prefix("usr/share/doc/reset-observer/") == Some(*from);
            same && Path::new("docs").join(page).starts_with(from)
        };
        assert!(crate::task::deb::FILES.iter().any(holds), "docs/{page} is not in the package");
    }
}

/// Of `schemas/README.md`.
fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&text("xtask/schemas/manifests.json")).expect("the schemas are JSON");
    jsonschema::validator_for(&schema).expect("the schemas are schemas")
}

fn manifests() -> Vec<(String, Value)> {
    let directories = ["deploy/kubernetes/base", "deploy/kubernetes/monitoring"];
    let files = directories.iter().flat_map(|directory| {
        let files = fs::read_dir(root().join(directory)).expect("a directory of manifests");
        files.map(move |file| format!("{directory}/{}", file.expect("a file").file_name().to_string_lossy()))
    });
    let manifests = files.filter(|file| !file.ends_with("kustomization.yaml"));
    manifests.map(|file| (file.clone(), yaml(&file))).collect()
}

#[test]
fn manifests_are_what_a_cluster_takes_also_for_the_operators_resources() {
    let schema = schema();
    for (file, manifest) in manifests() {
        let mistakes: Vec<String> =
            schema.iter_errors(&manifest).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(mistakes.is_empty(), "{file}: {mistakes:#?}");
    }
}

#[test]
fn a_misspelt_key_anywhere_in_a_manifest_is_refused() {
    let schema = schema();
    let inner = [
        ("DaemonSet", "/spec/template/spec/containers/0/securityContext"),
        ("Namespace", "/metadata"),
        ("ServiceAccount", ""),
        ("PodMonitor", "/spec/podMetricsEndpoints/0"),
        ("PrometheusRule", "/spec/groups/0/rules/0"),
    ];
    let manifests = manifests();
    assert_eq!(manifests.len(), inner.len(), "each kind is tried");
    for (kind, place) in inner {
        let (_, manifest) = manifests.iter().find(|(_, manifest)| manifest["kind"] == kind).expect("a manifest");
        assert!(schema.is_valid(manifest), "{kind}");
        let mut wrong = manifest.clone();
        wrong.pointer_mut(place).expect("a place")["misspelt"] = json!(true);
        assert!(!schema.is_valid(&wrong), "{kind}{place} takes any key");
    }
}
