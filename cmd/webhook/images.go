package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/runeframeos/kubectl-rune/pkg/signature"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
	"github.com/runeframeos/kubectl-rune/pkg/webhook"
)

// imageOptions say how registries are reached and whom keyless signatures are traced back to.
type imageOptions struct{ registries, tufMirror, tufRoot string }

func (o *imageOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.registries, "registries", "", "file with a RegistryConfiguration: mirrors, private CAs, and registries without TLS")
	flags.StringVar(&o.tufMirror, "tuf-mirror", "", "URL of a TUF repository instead of the public Sigstore's; needs --tuf-root")
	flags.StringVar(&o.tufRoot, "tuf-root", "", "file with the root.json of --tuf-mirror")
}

// config reads the files that the flags name.
func (o *imageOptions) config() (signature.Config, error) {
	config := signature.Config{}
	if (o.tufMirror == "") != (o.tufRoot == "") {
		return config, errors.New("--tuf-mirror and --tuf-root need each other: a repository is trusted by its root")
	}
	if o.registries != "" {
		configuration, err := registry.ReadConfiguration(o.registries)
		if err != nil {
			return config, fmt.Errorf("reading --registries: %w", err)
		}
		config.Registries = configuration.Registries
	}
	if o.tufRoot != "" {
		root, err := os.ReadFile(o.tufRoot)
		if err != nil {
			return config, fmt.Errorf("reading --tuf-root: %w", err)
		}
		config.PublicSigstore = verification.PublicSigstore{Mirror: o.tufMirror, Root: root}
	}
	return config, nil
}

// verifier returns the constructor that the webhook calls once it knows what there is.
func (o *imageOptions) verifier() (func(webhook.ImagesConfig) (webhook.Images, error), error) {
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	useClouds(&config)
	return func(given webhook.ImagesConfig) (webhook.Images, error) {
		config.Store, config.PullSecrets, config.KeySecrets = given.Verdicts, given.PullSecrets, given.KeySecrets
		config.Registerer, config.Clock, config.Log = given.Registerer, given.Clock, given.Log
		return signature.New(config)
	}, nil
}
