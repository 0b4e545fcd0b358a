//! `octoctl image pull` from a registry, by a real podman.

use serde_json::json;
use std::fs;

use super::bed::{Bed, podman, ran};
use super::operator::{Operator, OwnStore};
use super::registry::Registry;

const RECIPE: &str = "FROM scratch\nLABEL org.opencontainers.image.title=\"Octo workshop\"\nCOPY busybox /bin/\n\
    CMD [\"/bin/busybox\", \"echo\", \"it came from the registry\"]\n";

#[test]
fn octoctl_pulls_an_image_that_then_runs() {
    let bed = Bed::new();
    let mut operator = Operator::new(&bed, "alice");
    let place = operator.home.path().to_owned();
    let registry = Registry::new();
    let settings = place.join("registries.conf");
    fs::write(&settings, registry.settings()).unwrap();
    let mut store = OwnStore::new(&place);
    store.variables.push(("CONTAINERS_REGISTRIES_CONF", settings.display().to_string()));
    operator.variables.extend(store.variables.clone());
    let in_store = |arguments: &[&str]| ran(podman(arguments).envs(store.variables.clone()));

    // An image, as somebody else pushed it; here there is none any more.
    let (name, missing) = (registry.named("octo/dev", "one"), registry.named("octo/dev", "two"));
    fs::create_dir(place.join("container")).unwrap();
    fs::copy("/bin/busybox", place.join("busybox")).unwrap();
    fs::write(place.join("container/Dockerfile"), RECIPE).unwrap();
    operator.told(&["image", "build", "--tag", &name]);
    let layout = place.join("layout");
    in_store(&["save", "--quiet", "--format=oci-dir", "-o", &layout.display().to_string(), &name]);
    let listed = |operator: &Operator<'_>| {
        let all = operator.read(&["image", "list"]);
        all.as_array().unwrap().iter().any(|image| image["image"] == name)
    };
    in_store(&["rmi", "-f", &name]);
    assert!(!listed(&operator));
    registry.serve("octo/dev", "one", &layout);

    // By its name, for a person; podman's own progress comes before.
    let told = operator.told(&["image", "pull", &name]);
    assert!(told.ends_with(&format!("Pulled {name}\n")), "{told}");
    let asked = registry.asked();
    for part in ["GET /v2/octo/dev/manifests/one", "GET /v2/octo/dev/blobs/sha256:"] {
        assert!(asked.iter().any(|line| line.starts_with(part)), "{part}: {asked:?}");
    }
    assert!(listed(&operator));
    let said = in_store(&["run", "--rm", "--network=none", "--pull=never", &name]);
    assert_eq!(said, "it came from the registry");

    // The one of the settings, for a program: nothing but the JSON on standard output.
    in_store(&["rmi", "-f", &name]);
    operator.variables.push(("OCTO__CONTAINER__DEFAULT_IMAGE", name.clone()));
    assert_eq!(operator.json(&["image", "pull"]), json!({"status": "pulled", "image": name}));
    assert!(listed(&operator));

    // One that the registry has not is told in podman's words, and what is here stays.
    let refused = operator.run(&["image", "pull", &missing]).badly(1);
    assert!(refused.contains("pull failed") && refused.contains("manifest unknown"), "{refused}");
    assert!(listed(&operator));
}
