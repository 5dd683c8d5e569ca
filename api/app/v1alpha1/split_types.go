// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

// Split is a total number of instances and the weights by which it is divided, first over
// regions, then over the data centres of each, then over their DCNs, then over the clusters
// in which a DCN runs (R49). Each part gets
// its share rounded down; what is left over goes one by one to the largest fractions, of
// two alike to the first by name, so that the parts always add up to the total. The Revision
// holds the exact counts, which is what people approve; a new total is a new Revision.
//
// +kubebuilder:validation:XValidation:rule="(has(self.regions) && size(self.regions) > 0 ? 1 : 0) + (has(self.dataCenters) && size(self.dataCenters) > 0 ? 1 : 0) + (has(self.dcns) && size(self.dcns) > 0 ? 1 : 0) == 1",message="say over what the total is divided: give one of regions, dataCenters and dcns"
type Split struct {
	// total is the number of instances in all.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +required
	Total int32 `json:"total"`

	// regions divide the total over the cities of data centres.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=region
	// +optional
	Regions []RegionShare `json:"regions,omitempty"`

	// dataCenters divide the total over data centres, where regions do not matter.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=dataCenter
	// +optional
	DataCenters []DataCenterShare `json:"dataCenters,omitempty"`

	// dcns divide the total over DCNs, where data centres do not matter.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=dcn
	// +optional
	DCNs []DCNShare `json:"dcns,omitempty"`
}

// RegionShare is what a region gets, and how it is divided on.
type RegionShare struct {
	// region is the city of data centres, as their spec.city names it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Region string `json:"region"`

	// weight of the region among the others. 0: it gets its minimum only.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +required
	Weight int32 `json:"weight"`

	// minimum number of instances, whatever the weight. Default: 0, or what its data
	// centres have as minimum together.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Minimum int32 `json:"minimum,omitempty"`

	// dataCenters of the region that get a share.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=dataCenter
	// +required
	DataCenters []DataCenterShare `json:"dataCenters"`
}

// DataCenterShare is what a data centre gets, and how it is divided on.
type DataCenterShare struct {
	// dataCenter by name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +required
	DataCenter string `json:"dataCenter"`

	// weight of the data centre among the others. 0: it gets its minimum only.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +required
	Weight int32 `json:"weight"`

	// minimum number of instances, whatever the weight. Default: 0, or what its DCNs have as
	// minimum together.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Minimum int32 `json:"minimum,omitempty"`

	// dcns of the data centre that get a share.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=dcn
	// +required
	DCNs []DCNShare `json:"dcns"`
}

// DCNShare is what a DCN gets, and how it is divided on.
type DCNShare struct {
	// dcn by name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	DCN string `json:"dcn"`

	// weight of the DCN among the others. 0: it gets its minimum only.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +required
	Weight int32 `json:"weight"`

	// minimum number of instances, whatever the weight. Default: 0, or what its clusters have
	// as minimum together.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5000
	// +optional
	Minimum int32 `json:"minimum,omitempty"`

	// clusters divide the DCN's instances over clusters of its data centre; clusters that are
	// not listed get none. Default: any cluster of the data centre that serves the environment
	// takes them.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=cluster
	// +optional
	Clusters []ClusterShare `json:"clusters,omitempty"`
}

// ClusterShare is what a cluster gets of a DCN's instances.
type ClusterShare struct {
	// cluster by name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Cluster string `json:"cluster"`

	// weight of the cluster among the others. 0: it gets its minimum only.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +required
	Weight int32 `json:"weight"`

	// minimum number of instances, whatever the weight. Default: 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5000
	// +optional
	Minimum int32 `json:"minimum,omitempty"`
}
