package verify

const long = `Ask the registry whether images satisfy the ImagePolicies that cover them, as admission does, and say for each
policy who signed, what is attested, and why something does not count.

All ImagePolicies that cover an image are asked, environment by environment; --environment asks those of one. They come
from the cluster of the current context, or from --config, and then no cluster is needed. A tag is resolved once, and
that digest is judged.

The registry is asked with your own credentials (those of docker and podman). With -n NAMESPACE the pull secrets that a
pod of that namespace would have are used first, as far as you may read them.

Keys in Secrets are read with your own rights; keys in key management services (kms) are known to the webhook only.

With -o json or yaml the output is one object:
  apiVersion, kind   rune.runeframeos.com/v1alpha1, Verification
  summary            images, satisfied, notSatisfied, noPolicy, noImage, unknown: numbers of images
  images[]           image, reference, digest, result, error, stale, environments[], uncovered[], next[]
    result           Satisfied | NotSatisfied | NoPolicy | NoImage | Unknown (nobody could tell; error says why)
    uncovered[]      name, enforcement: environments that ask for signatures where no ImagePolicy covers the image
    next[]           text, command: what to do
    environments[]   name, result, enforcement, policies[]
      enforcement    Enforce | Warn | Audit | NotAsked (no rule signatures) | NoEnvironment (named by policies only)
      policies[]     name, result, require, atLeast, error, stale, collectedAt, reasons[], rejected[]
        authorities[]   name, trusts (Key | Keyless), signed, reason, signature
        attestations[]  name, predicateType, satisfied, reasons[], time, signature
        signature       authority, signer, format (Tag | Bundle), time
        rejected[]      format, predicateType, authority, reason: what lies beside the image and does not count;
                        incomplete: not all that lies there was looked at

Exit codes: 0 all images satisfy all policies that were asked, 4 one does not, is covered by none or does not exist,
1 nobody could tell of one (a registry that gives no answer, an ImagePolicy that cannot be read), or wrong input.`

const example = `  # Which policies cover an image, and does it satisfy them?
  kubectl rune verify registry.example.com/shop/web:v1

  # May it go to production? For a pipeline
  kubectl rune verify registry.example.com/shop/web:v1 -e production -o json

  # Try an ImagePolicy out before it is applied
  kubectl rune verify registry.example.com/shop/web:v1 --config imagepolicy.yaml

  # Ask with the pull secrets of a namespace, and a registry with a private certificate authority
  kubectl rune verify registry.internal:5000/web:v1 -n shop --registries registries.yaml`
