package manifests

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Types has the types that generated objects may have.
type Types struct {
	decoder runtime.Decoder
	scheme  *runtime.Scheme
	customs map[runtimeschema.GroupVersionKind]custom
}

// custom is the type of a custom resource.
type custom struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// NewTypes returns the Kubernetes types that services use, and the custom
// resources of the definitions.
func NewTypes(definitions []*unstructured.Unstructured) (*Types, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	t := &Types{
		scheme: scheme, customs: map[runtimeschema.GroupVersionKind]custom{},
		decoder: json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true}),
	}
	for _, definition := range definitions {
		if err := t.define(definition); err != nil {
			return nil, fmt.Errorf("%s: %w", definition.GetName(), err)
		}
	}
	return t, nil
}

func (t *Types) define(o *unstructured.Unstructured) error {
	var external apiextensionsv1.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &external); err != nil {
		return err
	}
	for _, version := range external.Spec.Versions {
		if version.Schema == nil {
			continue
		}
		var described apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &described, nil); err != nil {
			return err
		}
		structural, err := schema.NewStructural(&described)
		if err != nil {
			return err
		}
		validator, _, err := validation.NewSchemaValidator(&described)
		if err != nil {
			return err
		}
		kind := runtimeschema.GroupVersionKind{Group: external.Spec.Group, Version: version.Name, Kind: external.Spec.Names.Kind}
		t.customs[kind] = custom{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
	return nil
}

// Check validates a document as strictly as the API server: it reports unknown
// and duplicate keys, and values that are invalid for the type.
func (t *Types) Check(ctx context.Context, document []byte) []string {
	o, err := Document{"document", document}.Object()
	if err != nil {
		return []string{err.Error()}
	}
	if c, ok := t.customs[o.GroupVersionKind()]; ok {
		return c.check(ctx, o.Object)
	}
	if _, _, err := t.decoder.Decode(document, nil, nil); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func (c custom) check(ctx context.Context, object map[string]any) (problems []string) {
	known := runtime.DeepCopyJSON(object)
	for _, path := range pruning.PruneWithOptions(known, c.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		problems = append(problems, fmt.Sprintf("unknown field %q", path))
	}
	defaulting.Default(known, c.structural)
	errs := validation.ValidateCustomResource(nil, known, c.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, c.structural, known)...)
	if c.rules != nil {
		broken, _ := c.rules.Validate(ctx, nil, c.structural, known, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, broken...)
	}
	for _, err := range errs {
		problems = append(problems, err.Error())
	}
	return problems
}
