package manifests

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// policies compares the union of all policies with the connections that the
// spec needs.
func (ch *checker) policies() {
	denied := map[networkingv1.PolicyType]bool{}
	ingress, egress := map[string]bool{}, map[string]bool{}
	for _, p := range ch.Policies {
		for _, t := range p.Spec.PolicyTypes {
			denied[t] = true
		}
		for _, rule := range p.Spec.Ingress {
			ch.openings(ingress, rule.From, rule.Ports)
		}
		for _, rule := range p.Spec.Egress {
			ch.openings(egress, rule.To, rule.Ports)
		}
	}
	ch.wantf(denied[networkingv1.PolicyTypeIngress] && denied[networkingv1.PolicyTypeEgress], "policies do not deny other traffic: want the policy types Ingress and Egress")
	monitoring := "namespace " + ch.spec.Deploy.Monitoring.Namespace
	wantIn := map[string]bool{fmt.Sprintf("every pod of the namespace to TCP %d", ch.spec.HTTP.Port): true}
	if ch.spec.Scraped() {
		wantIn[fmt.Sprintf("%s to TCP %d", monitoring, ch.admin())] = true
	}
	if g := ch.spec.Deploy.Gateway; g.Host != "" {
		wantIn[fmt.Sprintf("namespace %s to TCP %d", g.Namespace, ch.spec.HTTP.Port)] = true
	}
	wantOut := map[string]bool{
		"pods map[k8s-app:kube-dns] of namespace kube-system to UDP 53": true,
		"pods map[k8s-app:kube-dns] of namespace kube-system to TCP 53": true,
		"block 169.254.20.10/32 to UDP 53":                              true, // NodeLocal DNSCache
		"block 169.254.20.10/32 to TCP 53":                              true,
		monitoring + " to TCP 4317":                                     true,
		monitoring + " to TCP 4318":                                     true,
		monitoring + " to TCP 4040":                                     true,
	}
	if ch.spec.Components.Postgres != nil {
		wantOut["anywhere to TCP 5432"] = true
	}
	for _, u := range ch.spec.Components.HTTPClient.Upstreams {
		scheme, address, _ := strings.Cut(u.URL, "://")
		_, port, explicit := strings.Cut(strings.Split(address, "/")[0], ":")
		if !explicit {
			port = map[string]string{"http": "80", "https": "443"}[scheme]
		}
		wantOut["anywhere to TCP "+port] = true
	}
	ch.same("ingress", ingress, wantIn)
	ch.same("egress", egress, wantOut)
}

func (ch *checker) same(what string, got, want map[string]bool) {
	ch.wantf(maps.Equal(got, want), "policies allow %s %q, want %q", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
}

func (ch *checker) openings(all map[string]bool, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	names := []string{"anywhere"}
	if len(peers) > 0 {
		names = nil
	}
	for _, p := range peers {
		names = append(names, peer(p))
	}
	for _, name := range names {
		if len(ports) == 0 {
			all[name+" to every port"] = true
		}
		for _, p := range ports {
			protocol, number := corev1.ProtocolTCP, intstr.FromInt32(0)
			if p.Protocol != nil {
				protocol = *p.Protocol
			}
			if p.Port != nil {
				number = *p.Port
			}
			all[fmt.Sprintf("%s to %s %d", name, protocol, ch.port(number))] = true
		}
	}
}

func peer(p networkingv1.NetworkPolicyPeer) string {
	switch {
	case p.IPBlock != nil:
		return "block " + p.IPBlock.CIDR
	case p.NamespaceSelector == nil:
		return pods(p.PodSelector) + " of the namespace"
	case p.PodSelector == nil:
		return namespace(p.NamespaceSelector)
	default:
		return pods(p.PodSelector) + " of " + namespace(p.NamespaceSelector)
	}
}

func pods(s *metav1.LabelSelector) string {
	if len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0 {
		return "every pod"
	}
	return fmt.Sprintf("pods %v", s.MatchLabels)
}

func namespace(s *metav1.LabelSelector) string {
	if name, ok := s.MatchLabels[corev1.LabelMetadataName]; ok && len(s.MatchLabels) == 1 && len(s.MatchExpressions) == 0 {
		return "namespace " + name
	}
	return fmt.Sprintf("namespaces %v", s)
}
