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

// Set is the objects of one service, by their types. The custom ones whose types
// no module here has stay as they are.
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

// NewSet sorts the objects. A kind that it does not know is an error: nothing
// here would judge it.
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
				_, err = s.Alerting[len(s.Alerting)-1].Spec.Route.ChildRoutes() // the definition knows none of their fields
			}
		case "HTTPRoute":
			s.Routes = append(s.Routes, o)
		case "ScaledObject":
			s.ScaledObject = append(s.ScaledObject, o)
		default:
			err = fmt.Errorf("nothing here judges a %s", o.GetKind())
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
