package manifests

import (
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Set has the objects of one service by type. Custom resources without Go types
// in this module are unstructured.
type Set struct {
	Deployments  []appsv1.Deployment
	Services     []corev1.Service
	Accounts     []corev1.ServiceAccount
	ConfigMaps   []corev1.ConfigMap
	Autoscalers  []autoscalingv2.HorizontalPodAutoscaler
	Budgets      []policyv1.PodDisruptionBudget
	Policies     []networkingv1.NetworkPolicy
	Monitors     []monitoringv1.ServiceMonitor
	Rules        []monitoringv1.PrometheusRule
	Alerting     []monitoringv1alpha1.AlertmanagerConfig
	Routes       []*unstructured.Unstructured
	ScaledObject []*unstructured.Unstructured
	All          []*unstructured.Unstructured
}

// NewSet returns the objects by type. An unknown kind is an error because no
// check would cover it.
func NewSet(objects []*unstructured.Unstructured) (Set, error) {
	s := Set{All: objects}
	for _, o := range objects {
		var err error
		switch o.GetKind() {
		case "Deployment":
			s.Deployments, err = typed(s.Deployments, o)
		case "Service":
			s.Services, err = typed(s.Services, o)
		case "ServiceAccount":
			s.Accounts, err = typed(s.Accounts, o)
		case "ConfigMap":
			s.ConfigMaps, err = typed(s.ConfigMaps, o)
		case "HorizontalPodAutoscaler":
			s.Autoscalers, err = typed(s.Autoscalers, o)
		case "PodDisruptionBudget":
			s.Budgets, err = typed(s.Budgets, o)
		case "NetworkPolicy":
			s.Policies, err = typed(s.Policies, o)
		case "ServiceMonitor":
			s.Monitors, err = typed(s.Monitors, o)
		case "PrometheusRule":
			s.Rules, err = typed(s.Rules, o)
		case "AlertmanagerConfig":
			if s.Alerting, err = typed(s.Alerting, o); err == nil {
				_, err = s.Alerting[len(s.Alerting)-1].Spec.Route.ChildRoutes() // the CRD does not describe their fields
			}
		case "HTTPRoute":
			s.Routes = append(s.Routes, o)
		case "ScaledObject":
			s.ScaledObject = append(s.ScaledObject, o)
		default:
			err = fmt.Errorf("no check for kind %s; add it to Set", o.GetKind())
		}
		if err != nil {
			return s, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return s, nil
}

func typed[T any](list []T, o *unstructured.Unstructured) ([]T, error) {
	var object T
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &object)
	return append(list, object), err
}
