// Package manifests checks Kubernetes objects without a cluster: that they are
// valid for their types, and consistent with each other and the spec.
//
// It depends on the spec and the objects only, not on the templates.
package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Build runs `kustomize build`.
func Build(dir string) ([]*unstructured.Unstructured, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, resource := range built.Resources() {
		data, err := resource.MarshalJSON()
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// Document is one YAML document of a file.
type Document struct {
	File string
	Text []byte
}

// Object parses the document. Duplicate keys are errors.
func (d Document) Object() (*unstructured.Unstructured, error) {
	data, err := yaml.YAMLToJSONStrict(d.Text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.File, err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("%s: %w", d.File, err)
	}
	return o, nil
}

// Documents returns the documents of all YAML files of a directory except
// kustomization.yaml.
func Documents(dir string) ([]Document, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var documents []Document
	for _, path := range paths {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		of, err := split(path)
		if err != nil {
			return nil, err
		}
		documents = append(documents, of...)
	}
	return documents, nil
}

func split(path string) ([]Document, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var documents []Document
	reader := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(data)))
	defer func() { _ = reader.Close() }()
	buffer := make([]byte, len(data)+1)
	for {
		n, err := reader.Read(buffer)
		switch {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		documents = append(documents, Document{path, bytes.Clone(buffer[:n])})
	}
}
